package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

type event struct {
	Position uint64 `json:"position"`
	Type     string `json:"type"`
	Subject  string `json:"subject"`
}

func env(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}

var (
	durableName = env("DURABLE", "billing-outages")
	state       = env("STATE", "position.txt")
)

func durable(ctx context.Context, js jetstream.JetStream, done uint64) (jetstream.Consumer, error) {
	consumer, err := js.Consumer(ctx, "EVENTS", durableName)
	if !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return consumer, err
	}
	return js.CreateConsumer(ctx, "EVENTS", jetstream.ConsumerConfig{
		Durable:        durableName,
		FilterSubjects: []string{"tocsin.events.*.offline.*", "tocsin.events.*.online.*"},
		AckPolicy:      jetstream.AckExplicitPolicy,
		AckWait:        30 * time.Second,
		MaxAckPending:  1, // one at a time: what fails is delivered again before anything younger
		DeliverPolicy:  jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:    done + 1, // sequence ≡ position, also in a stream that was made anew
	})
}

func next(js jetstream.JetStream, done *uint64) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	consumer, err := durable(ctx, js, *done)
	if err != nil {
		return err
	}
	message, err := consumer.Next(jetstream.FetchMaxWait(5 * time.Second))
	if errors.Is(err, nats.ErrTimeout) {
		return nil
	}
	if err != nil {
		return err
	}
	var e event
	if err := json.Unmarshal(message.Data(), &e); err != nil {
		return err
	}
	if e.Position > *done {
		fmt.Println(e.Position, e.Type, e.Subject) // your work
		if err := os.WriteFile(state, []byte(strconv.FormatUint(e.Position, 10)), 0o600); err != nil {
			return err
		}
		*done = e.Position
	}
	return message.Ack()
}

func main() {
	connection, err := nats.Connect(env("NATS_URL", nats.DefaultURL), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true))
	if err != nil {
		panic(err)
	}
	js, err := jetstream.New(connection)
	if err != nil {
		panic(err)
	}
	// How far the work is done. Keep it where the work goes, written in the same transaction; a file stands for that here.
	text, _ := os.ReadFile(state)
	done, _ := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	for {
		if err := next(js, &done); err != nil {
			fmt.Fprintln(os.Stderr, err, "- once more in a second")
			time.Sleep(time.Second)
		}
	}
}
