// Package mongo is the MongoDB store: turns, schedules, the outbox, homes and
// what is in them, skills, usage and credentials come in as domain values and go
// out again from one database. It must not know MQTT, gRPC or what a turn means.
//
// # How a commit is whole, and happens once
//
// There are no transactions. Every step is an atomic operation on one document,
// and every write is acknowledged by a majority that has it in its journal.
//
// A turn is one document whose id is the turn's, so that there is at most one.
// It holds the reply, the trace, what was called, the messages that are owed and
// the plan of everything else. It is inserted as prepared or, where nothing
// else decides, as committed. An attempt to commit has a name of its own, and
// every later step asks for that name: whatever an attempt that was given up
// still has on its way finds nothing.
//
// The commit point is the one operation after which the turn counts:
//
//   - with a state: the compare-and-swap of {revision, value}, which in the same
//     operation adds the attempt's name to the state's recent ones: the evidence.
//   - that fires a schedule, without a state: the update of the turn's own
//     document from prepared to committed.
//   - any other: the insert.
//
// Before the commit point, a schedule that is fired is marked with the attempt's
// name, if it is due at the same millisecond and nobody else has marked it. Who
// wants to change or fire it must first see that turn ended, so that it is
// still due when its turn commits. After the commit point, schedules are
// changed, the turn is marked committed, and last, after the answer to the
// caller, the evidence and the plan are removed.
//
// All or nothing: a turn that is cut off anywhere is found by its open field. If
// it is committed, or its name is in the state, its plan is carried out. Else
// it is discarded, and first made unable to commit: where the state still has
// the revision that the attempt would swap, the revision is raised by one,
// which the swap and the raising cannot both do; the document itself is deleted
// only while it is prepared, which the deletion and the commit of a firing
// cannot both do. Evidence leaves a state only after the turn's document says
// committed, and a state whose evidence is full takes no swap until it is worked
// off. So the answer to "was it committed" never gets lost, and discarding is
// safe at any time; leases only keep processes from discarding what is alive.
//
// Once: a plan may be carried out several times, by several processes.
//
//   - Messages and invocations are in the turn's document. They become visible
//     with its phase, a settled message is pulled out of it, and nothing puts one
//     back. Usage is summed from the same documents.
//   - A fired schedule is removed, or replaced by what the turn sets in its place,
//     where it bears the attempt's name, and the name goes in the same operation.
//   - A schedule that is set or cancelled bears the turn's sequence, and only a
//     higher one changes it. Sequences come from one counter, after the commit was
//     asked for, so that they order the turns of which one saw the other. What is
//     gone leaves its sequence behind until no older turn is open, and for an
//     hour more. A firing keeps the sequence of what it fired: whoever set the
//     schedule anew meanwhile is not undone.
//
// # Reports
//
// What a device reports has no commit point, because every part of it can be
// written again without harm: readings have ids of their own, what a device says
// of itself and of its entities is set field by field, and news is merged into a
// state by compare-and-swap unless something newer is there. Record succeeds
// once all parts are durable. A report that is cut off may be seen in part until
// its device, which was told nothing, sends it again.
//
// # What is guaranteed, and what is not
//
// Messages to a device are owed in the order in which one store committed them,
// also across restarts; between stores, in the order of their clocks. A reader
// on the same store sees what was acknowledged before; on another store too,
// because reads go to the primary. Right after the commit point, and until it is
// recovered after a crash there, a state may be
// seen before its turn and schedules. A revision may be skipped without a value
// of its own, when a turn was discarded: a state that was never written can
// have revision 1 and no value. The hour above is the one assumption about
// time: a process must not be frozen longer than that, its timeouts with it,
// and then get a write out that it began before.
package mongo
