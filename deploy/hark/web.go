package main

import (
	"context"
	"net"
	"net/http"

	"github.com/hark-voice/hark/broker/auth"
	"github.com/hark-voice/hark/broker/topic"
	"github.com/hark-voice/hark/functions/gateway"
)

// web is everything behind --http.
func (h *house) web(token string) (http.Handler, error) {
	verifier, err := auth.New(auth.Options{Store: h.store, Clock: h.clock})
	if err != nil {
		return nil, err
	}
	h.revoked = verifier.Invalidate
	utterances, err := gateway.New(gateway.Options{
		Road: h.router, Homes: h.store, Token: token, Clock: h.clock, Logger: h.logger,
		Verify: func(ctx context.Context, username, password string) (topic.Device, error) {
			device, _, err := verifier.Verify(ctx, username, username, []byte(password))
			return device, err
		},
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("POST /api/v1/homes/{home}/devices/{device}/utterances", utterances)
	mux.Handle("/mqtt", h.broker.WebSocket())
	mux.Handle("GET /metrics", h.onLoopback(h.metrics.Handler()))
	mux.Handle("/", h.admin)
	return mux, nil
}

// onLoopback lets local programs in, and others with the operator's token.
func (h *house) onLoopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if ip := net.ParseIP(host); (err != nil || ip == nil || !ip.IsLoopback()) && !h.admin.Authorized(r) {
			http.Error(w, "from other machines this needs the operator's token", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}
