package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

// timeout of a delivery, and how much of the answer is read, in bytes.
const (
	timeout   = 10 * time.Second
	maxAnswer = 64 << 10
)

// deliver works the queue off, one after the other, so that targets see the
// events in their order.
func (a *Area) deliver(ctx context.Context) {
	defer close(a.done)
	dialer := &net.Dialer{Control: onlyLoopback}
	client := &http.Client{
		Timeout:       timeout,
		Transport:     &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for {
		select {
		case t := <-a.queue:
			a.attempt(ctx, client, t)
			a.waiting.Done()
		case <-ctx.Done():
			for {
				select {
				case <-a.queue:
					a.waiting.Done()
				default:
					return
				}
			}
		}
	}
}

// onlyLoopback keeps the simulator from reaching other machines.
func onlyLoopback(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return errors.New("the simulator delivers to this machine only")
	}
	return nil
}

func (a *Area) attempt(ctx context.Context, client *http.Client, t task) {
	hook, ok := a.edit(t.hook, func(*Hook) {})
	if !ok {
		return // deleted meanwhile
	}
	var err error
	if hook.URL != "" {
		t.delivery.Status, err = post(ctx, client, hook, t.delivery.Payload)
	} else {
		err = a.startJob(hook, t.delivery.Payload)
	}
	if err != nil {
		t.delivery.Error = err.Error()
	}
	a.edit(t.hook, func(h *Hook) { h.log(t.delivery) })
}

func post(ctx context.Context, client *http.Client, h Hook, payload []byte) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(payload))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	if h.Secret != "" {
		r.Header.Set("X-Webhook-Secret", h.Secret)
	}
	resp, err := client.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) { // without the address, which may hold a secret
			err = u.Err
		}
		return 0, err
	}
	defer resp.Body.Close()                                          //nolint:errcheck // nothing depends on it
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)) // the target may say what it likes
	if resp.StatusCode >= 300 {
		return resp.StatusCode, fmt.Errorf("the target answered %s", resp.Status)
	}
	return resp.StatusCode, nil
}

func (a *Area) startJob(h Hook, payload json.RawMessage) error {
	if a.o.Jobs == nil {
		return errors.New("the simulator runs no jobs")
	}
	var p struct {
		Repo struct{ Type, Name string } `json:"repo"`
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		return err
	}
	return a.o.Jobs.Run(h.Owner, h.Job, map[string]string{
		"WEBHOOK_PAYLOAD": string(payload), "WEBHOOK_REPO_ID": p.Repo.Name, "WEBHOOK_REPO_TYPE": p.Repo.Type,
		"WEBHOOK_SECRET": h.Secret,
	})
}
