package main

import (
	"context"
	"net"
	"net/http"
)

// refusing is an HTTP transport and a dialer that never connect.
type refusing struct{}

// RoundTrip implements http.RoundTripper.
func (refusing) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Body != nil {
		_ = request.Body.Close()
	}
	return nil, errNoNetwork
}

func (refusing) dial(context.Context, string, string) (net.Conn, error) {
	return nil, errNoNetwork
}
