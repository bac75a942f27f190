package hark;

import de.bwaldvogel.mongo.MongoBackend;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.backend.memory.MemoryDatabase;
import de.bwaldvogel.mongo.backend.memory.index.MemoryUniqueIndex;
import de.bwaldvogel.mongo.bson.Document;
import io.netty.channel.Channel;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.h2.mvstore.MVStore;

/**
 * Serves the wire protocol of MongoDB on 127.0.0.1 until its standard input ends, and prints its
 * address. Arguments: a port, 0 for any free one, and a file to keep the data in; without a file
 * they are kept in memory.
 */
public final class Server {
    /** That of MongoDB 4.4, the oldest that current drivers speak to. */
    private static final int WIRE_VERSION = 9;

    private static final Set<String> WRITES =
            Set.of("insert", "update", "delete", "findandmodify", "create", "createindexes", "drop", "dropdatabase");

    private Server() {}

    public static void main(String[] args) throws Exception {
        MongoServer server = new MongoServer(args.length > 1 ? onDisk(args[1]) : inMemory());
        server.bind("127.0.0.1", args.length > 0 ? Integer.parseInt(args[0]) : 0);
        System.out.println("mongodb://127.0.0.1:" + server.getLocalAddress().getPort());
        System.in.transferTo(java.io.OutputStream.nullOutputStream());
        server.shutdownNow();
    }

    private static MongoBackend inMemory() {
        return new MemoryBackend() {
            @Override
            public Document handleCommand(Channel channel, String database, String command, Document query) {
                return announce(command, super.handleCommand(channel, database, command, query));
            }

            @Override
            public MemoryDatabase openOrCreateDatabase(String name) {
                return new MemoryDatabase(name, getCursorRegistry()) {
                    @Override
                    protected Index<Integer> openOrCreateUniqueIndex(
                            String collection, String index, List<IndexKey> keys, boolean sparse) {
                        return new NarrowingIndex(index, keys, sparse);
                    }
                };
            }
        };
    }

    /**
     * Finds the document of a filter that names its _id and more. The server itself uses an index
     * only for filters that name nothing else, and reads the whole collection for any other.
     */
    private static final class NarrowingIndex extends MemoryUniqueIndex {
        NarrowingIndex(String name, List<IndexKey> keys, boolean sparse) {
            super(name, keys, sparse);
        }

        @Override
        public synchronized boolean canHandle(Document query) {
            return super.canHandle(narrowed(query));
        }

        @Override
        public synchronized Iterable<Integer> getPositions(Document query) {
            return super.getPositions(narrowed(query));
        }

        private Document narrowed(Document query) {
            boolean isID = keySet().equals(Set.of("_id")) && query.get("_id") instanceof String;
            return isID ? new Document("_id", query.get("_id")) : query;
        }
    }

    /**
     * Every write is in the file before it is answered. Writes go one by one, because a document
     * and its entry in an index are two entries of the file, and no third may come between them.
     */
    private static MongoBackend onDisk(String file) {
        MVStore store = new MVStore.Builder().fileName(file).autoCommitDisabled().open();
        return new H2Backend(store) {
            private final Object writing = new Object();

            @Override
            public Document handleCommand(Channel channel, String database, String command, Document query) {
                if (!WRITES.contains(command.toLowerCase(Locale.ROOT))) {
                    return announce(command, super.handleCommand(channel, database, command, query));
                }
                synchronized (writing) {
                    try {
                        return super.handleCommand(channel, database, command, query);
                    } finally {
                        commit();
                    }
                }
            }
        };
    }

    private static Document announce(String command, Document answer) {
        if (command.equalsIgnoreCase("ismaster")) {
            answer.put("maxWireVersion", WIRE_VERSION);
        }
        return answer;
    }
}
