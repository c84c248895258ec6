// Package otlp sends spans and metrics of the OpenTelemetry SDK to a collector:
// OTLP over HTTP in protobuf, version 1 of the protocol. The SDK's own senders
// bring the whole of gRPC into the program, which this one does not speak.
//
// It sends once: an error says whether the same may be sent again and when. What
// is sent, and what becomes of it when it fails, is its caller's.
package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// Collector is where one signal goes.
type Collector struct {
	// URL is the whole address, such as http://localhost:4318/v1/traces.
	URL     string
	Headers map[string]string
	HTTP    *http.Client
	// Timeout bounds one request; 0 is 10 seconds.
	Timeout time.Duration
}

const (
	defaultTimeout = 10 * time.Second
	mostAnswer     = 64 << 10
)

// BusyError says that the collector did not take something for now: it may be
// sent again, after Wait where that is set.
type BusyError struct {
	Wait time.Duration
	Err  error
}

func (e *BusyError) Error() string { return e.Err.Error() }

// Unwrap returns what went wrong.
func (e *BusyError) Unwrap() error { return e.Err }

// send posts a message. Its own words are all that an error has: neither headers
// nor the collector's answer are repeated.
func (c Collector) send(ctx context.Context, m proto.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	body, err := encode(m)
	if err != nil {
		return fmt.Errorf("encode telemetry: %w", err)
	}
	limit := c.Timeout
	if limit <= 0 {
		limit = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("the address of the collector is none")
	}
	for name, value := range c.Headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("Content-Encoding", "gzip")
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return &BusyError{Err: fmt.Errorf("reach the collector at %s: %w", req.URL.Host, err)}
	}
	defer resp.Body.Close()
	_, _ = httpx.ReadAll(resp.Body, mostAnswer) // lets the connection be used again
	if resp.StatusCode/100 == 2 {
		return nil
	}
	err = fmt.Errorf("the collector at %s answers %s", req.URL.Host, resp.Status)
	switch resp.StatusCode { // those that the protocol lets be repeated
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return &BusyError{Wait: time.Duration(max(0, seconds)) * time.Second, Err: err}
	}
	return err
}

func encode(m proto.Message) ([]byte, error) {
	raw, err := proto.Marshal(m)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	if _, err := zip.Write(raw); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
