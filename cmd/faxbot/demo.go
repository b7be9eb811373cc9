package main

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed" // of the document that is sent
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/sync/errgroup"

	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
)

//go:embed testfax/testfax.pdf
var testFax []byte

type demoCommand struct {
	Once           bool          `help:"End after the first fax: with status 0 if it was delivered."`
	To             string        `default:"+15551230001" placeholder:"NUMBER" help:"Number to dial; the special ones below misbehave (${default})."`
	Speed          float64       `default:"10" placeholder:"N" help:"How much faster than a real line the simulated one is (${default})."`
	Dir            string        `placeholder:"DIR" help:"Where database, documents and log go (a new temporary folder)."`
	Timeout        time.Duration `default:"2m" placeholder:"TIME" help:"How long the first fax may take with --once (${default})."`
	Listen         string        `env:"FAXBOT_LISTEN" placeholder:"HOST:PORT" help:"Where REST is served (127.0.0.1:8080, or a free port)."`
	InternalListen string        `env:"FAXBOT_INTERNAL_LISTEN" placeholder:"HOST:PORT" help:"Where /metrics is served (127.0.0.1:8081, or a free port)."`
	APIKey         secret        `name:"api-key" env:"API_KEY" placeholder:"KEY" help:"The key for REST (a new one)."`
}

// Help is shown below the flags.
func (demoCommand) Help() string {
	return "FreeSWITCH and the telephone network are simulated, so nobody is called. All else is what serve runs.\n\n" + simulator.Numbers
}

// Run sends a fax and shows what happens, then waits for more.
func (c demoCommand) Run(s streams) error {
	ctx, interrupted := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer interrupted()
	if err := c.makeDir(); err != nil {
		return err
	}
	logFile, err := os.OpenFile(filepath.Join(c.Dir, "faxbot.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer logFile.Close()
	at := new(slog.LevelVar)
	log := newLogger(logFile, "text", at)
	sw, err := simulator.New(simulator.Config{Speed: c.Speed, Logger: log.With("part", "simulator")})
	if err != nil {
		return err
	}
	set, err := c.settings(sw.Addr())
	if err != nil {
		return err
	}
	d, err := open(ctx, layers{own: set}, log, at)
	if err != nil {
		return err
	}
	if err := d.documents.Check(ctx); err != nil {
		return errors.Join(err, d.close())
	}

	g, ctx := errgroup.WithContext(ctx)
	work, finish := context.WithCancel(ctx)
	line, hangUp := context.WithCancel(context.Background())
	defer hangUp()
	g.Go(func() error { return sw.Run(line) })
	g.Go(func() error {
		defer hangUp()
		return d.run(work, work)
	})
	g.Go(func() error {
		defer finish()
		return c.perform(work, d, stage{out: s.out, key: string(set.HTTP.APIKey), keyIsNew: c.APIKey == ""})
	})
	return errors.Join(g.Wait(), d.close())
}

// makeDir makes the folder and puts the test fax there, for the reader to send
// again.
func (c *demoCommand) makeDir() (err error) {
	if c.Dir == "" {
		c.Dir, err = os.MkdirTemp("", "faxbot-demo-")
	} else if c.Dir, err = filepath.Abs(c.Dir); err == nil {
		err = os.MkdirAll(c.Dir, 0o750)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(c.document(), testFax, 0o600)
}

func (c *demoCommand) document() string { return filepath.Join(c.Dir, "testfax.pdf") }

// settings are those of serve, with everything in one folder and on this host.
func (c *demoCommand) settings(eventSocket string) (settings, error) {
	var s settings
	if err := kong.ApplyDefaults(&s); err != nil {
		return s, &settingsError{[]string{err.Error()}}
	}
	host, port, err := net.SplitHostPort(eventSocket)
	if err != nil {
		return s, err
	}
	if _, err := fmt.Sscan(port, &s.Switch.Port); err != nil {
		return s, err
	}
	s.Switch.Host, s.Switch.Password, s.Switch.Gateway = host, "ClueCon", "demo"
	s.Socket.Listen, s.Socket.Advertise, s.Socket.Allow = "127.0.0.1:0", "", nil
	s.Storage.DatabaseURL = secret("sqlite:///" + filepath.Join(c.Dir, "faxbot.db"))
	s.Storage.DataDir, s.Storage.Host = filepath.Join(c.Dir, "documents"), "demo"
	s.HTTP.Listen = orFree(c.Listen, "127.0.0.1:8080")
	s.Inside.Listen = orFree(c.InternalListen, "127.0.0.1:8081")
	s.HTTP.APIKey, s.HTTP.InsecureNoAuth = c.APIKey, false
	if s.HTTP.APIKey == "" {
		s.HTTP.APIKey = secret("demo-" + rand.Text())
	}
	return s, s.check()
}

// orFree returns the wanted address; when nobody named one, the usual one, or
// any free port while another program has that.
func orFree(wanted, usual string) string {
	if wanted != "" {
		return wanted
	}
	l, err := net.Listen("tcp", usual)
	if err != nil {
		return "127.0.0.1:0"
	}
	_ = l.Close() // it was only a question
	return usual
}

// perform sends the fax, watches it and everything that is sent after it, and
// returns when ctx ends or, with --once, after the first.
func (c *demoCommand) perform(ctx context.Context, d *daemon, on stage) error {
	notices := d.controller.Notices().Listen(1000)
	defer notices.Close()
	on.introduce(c.To)
	first, err := c.submit(ctx, d.public.url(), on.key)
	if err != nil || ctx.Err() != nil {
		return unlessDone(ctx, err)
	}
	var late <-chan time.Time
	if c.Once {
		late = time.After(c.Timeout)
	}
	for {
		select {
		case <-ctx.Done():
			if c.Once {
				return errors.New("interrupted before the fax was delivered")
			}
			return nil
		case <-late:
			return fmt.Errorf("the fax was not delivered within %s; the log is %s", c.Timeout, filepath.Join(c.Dir, "faxbot.log"))
		case n := <-notices.C:
			on.show(n)
			if n.Job.ID != first || !n.Job.State.Terminal() {
				continue
			}
			on.conclude(c, d, n.Job)
			if c.Once && n.Job.State != fax.Done {
				return fmt.Errorf("the fax was not delivered: %s", n.Job.Error)
			} else if c.Once {
				return nil
			}
			first = ""
		}
	}
}

func unlessDone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// submit posts the test fax as any client would.
func (c *demoCommand) submit(ctx context.Context, url, key string) (fax.JobID, error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", "testfax.pdf")
	if err == nil {
		_, err = file.Write(testFax)
	}
	if err = errors.Join(err, form.WriteField("to", c.To), form.Close()); err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/fax", &body)
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", form.FormDataContentType())
	request.Header.Set("X-API-Key", key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusAccepted {
		return "", fmt.Errorf("POST /fax was answered with %s: %s", response.Status, answer)
	}
	var job struct{ ID fax.JobID }
	if err := json.Unmarshal(answer, &job); err != nil {
		return "", fmt.Errorf("POST /fax: %w in %s", err, answer)
	}
	return job.ID, nil
}
