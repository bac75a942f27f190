package runtime

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// socketFiles returns the two ends of a connection: ours to talk on, theirs to
// hand over.
func socketFiles() (net.Conn, *os.File, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, nil, fmt.Errorf("make a socket pair: %w", err)
	}
	file := os.NewFile(uintptr(ours), "skill")
	conn, err := net.FileConn(file) // duplicates the descriptor
	_ = file.Close()
	handed := os.NewFile(uintptr(theirs), "skill")
	if err != nil {
		_ = handed.Close()
		return nil, nil, fmt.Errorf("use the socket pair: %w", err)
	}
	return conn, handed, nil
}

// watchedConn tells when gRPC gives it up, which it does when the other end is gone.
type watchedConn struct {
	net.Conn
	once sync.Once
	lost func()
}

func (c *watchedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.lost)
	return err
}

// window is how many bytes of answers may wait to be read.
const window = 1 << 20

var errConnectionLost = errors.New("the connection to the skill is gone")

// dial makes a gRPC client of a connection that exists. There is no second one:
// an instance that lost its connection is lost.
func dial(conn net.Conn, startTimeout time.Duration, lost func()) (*grpc.ClientConn, error) {
	watched := &watchedConn{Conn: conn, lost: lost}
	once := make(chan net.Conn, 1)
	once <- watched
	return grpc.NewClient("passthrough:///skill",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			select {
			case c := <-once:
				return c, nil
			default:
				return nil, errConnectionLost
			}
		}),
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		// Fixed, because to adjust it gRPC measures the connection with a ping for
		// nearly every message, which on one machine costs more than the message.
		grpc.WithStaticStreamWindowSize(window),
		grpc.WithStaticConnWindowSize(window),
		grpc.WithIdleTimeout(0), // an idle connection could not be had again
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: 2 * startTimeout}),
	)
}

// dialUnix connects to a socket that a starting process is about to listen on.
func dialUnix(ctx context.Context, path string) (net.Conn, error) {
	var dialer net.Dialer
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		conn, err := dialer.DialContext(ctx, "unix", path)
		if err == nil {
			return conn, nil
		}
		if wait(ctx, pause) != nil {
			return nil, fmt.Errorf("connect to %s: %w", path, err)
		}
	}
}

const (
	firstPause   = 500 * time.Microsecond
	longestPause = 10 * time.Millisecond
)

// awaitServing asks for the health of a starting instance until it is good.
func awaitServing(ctx context.Context, conn grpc.ClientConnInterface) error {
	client := healthpb.NewHealthClient(conn)
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		answer, err := client.Check(ctx, &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true))
		switch {
		case err == nil && answer.GetStatus() == healthpb.HealthCheckResponse_SERVING:
			return nil
		case status.Code(err) == codes.Unimplemented:
			return errors.New("it does not serve grpc.health.v1.Health")
		}
		if waitErr := wait(ctx, pause); waitErr != nil {
			if err == nil {
				return fmt.Errorf("its health is %s", answer.GetStatus())
			}
			return err
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
