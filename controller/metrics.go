package controller

import (
	"context"
	"time"

	"faxbot/controller/fax"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are this package's figures. Labels come from closed enums only.
type metrics struct {
	attempts   *prometheus.CounterVec
	calls      *prometheus.CounterVec
	faxes      *prometheus.CounterVec
	perFax     prometheus.Histogram
	resumed    prometheus.Counter
	pages      prometheus.Counter
	setup      prometheus.Histogram
	fax        prometheus.Histogram
	wait       prometheus.Histogram
	conversion prometheus.Histogram
	converted  *prometheus.CounterVec
	conflicts  prometheus.Counter
	reconciled prometheus.Counter
	adopted    prometheus.Counter
	restarts   *prometheus.CounterVec
	waiting    *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer, c *Controller) *metrics {
	histogram := func(name, help string, buckets ...float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	}
	m := &metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "faxbot_attempts_total", Help: "Calls that ended, by cause.",
		}, []string{"cause"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "faxbot_gateway_calls_total", Help: "Calls that ended, by gateway and cause; \"other\" is a gateway that is not listed.",
		}, []string{"gateway", "cause"}),
		faxes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "faxbot_faxes_total", Help: "Faxes that were delivered (done) or given up (failed).",
		}, []string{"state"}),
		perFax: histogram("faxbot_calls_per_fax", "Calls of a fax that has ended.", 1, 2, 3, 4, 6, 9, 12, 20),
		resumed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "faxbot_pages_resumed_total", Help: "Pages that a call left out because an earlier one had delivered them.",
		}),
		pages: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "faxbot_pages_total", Help: "Pages confirmed by receiving machines.",
		}),
		setup:      histogram("faxbot_call_setup_seconds", "From the claim of a fax to the answered call's connection.", 1, 2, 5, 10, 20, 40, 60, 90),
		fax:        histogram("faxbot_fax_seconds", "From the answer to the end of a call.", 5, 15, 30, 60, 120, 300, 600, 1800),
		wait:       histogram("faxbot_queue_wait_seconds", "From when a fax was due until it was dialled.", 0.005, 0.02, 0.1, 1, 10, 60, 600, 3600),
		conversion: histogram("faxbot_conversion_seconds", "Conversion of one fax's documents.", 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60),
		converted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "faxbot_conversions_total", Help: "Conversions by result: made, refused (the document's fault), failed (ours; tried again).",
		}, []string{"result"}),
		conflicts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "faxbot_verdict_conflicts_total", Help: "Results that contradicted a better witness or a stored result, and were not applied.",
		}),
		reconciled: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "faxbot_reconciliations_total", Help: "Calls of which nobody reported, so that the switch was asked.",
		}),
		adopted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "faxbot_adoptions_total", Help: "Calls that this host took over from another one.",
		}),
	}
	m.restarts = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "faxbot_switch_restarts_total", Help: "Times that a switch was found to be another process than before.",
	}, []string{"switch"})
	m.waiting = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "faxbot_results_waiting", Help: "Results of calls that the database has not taken yet, by where they are kept: on disk (journal), or nowhere else (memory).",
	}, []string{"kept"})
	for _, where := range []string{inJournal, inMemory} {
		m.waiting.WithLabelValues(where)
	}
	m.faxes.WithLabelValues(string(fax.Done))
	m.faxes.WithLabelValues(string(fax.Failed))
	for _, result := range []string{"made", "refused", "failed"} {
		m.converted.WithLabelValues(result)
	}
	for _, cause := range fax.Causes {
		m.attempts.WithLabelValues(string(cause))
	}
	live := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "faxbot_live_calls", Help: "Calls under way, ringing or sending.",
	}, func() float64 { return float64(c.live()) })
	free := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "faxbot_documents_free_bytes", Help: "Free on the disk of the document folder; -1 when it cannot be asked.",
	}, func() float64 { return float64(c.docs.Free()) })
	reg.MustRegister(free, m.faxes, m.converted, c.gateways, queueAge{c}, m.attempts, m.calls, m.perFax, m.resumed, m.pages, m.setup, m.fax, m.wait, m.conversion, m.conflicts, m.reconciled, m.adopted, m.restarts, m.waiting, &c.switches, live, jobsByState{c})
	return m
}

func (m *metrics) ended(c *Controller, job fax.Job, a fax.Attempt) {
	m.attempts.WithLabelValues(string(a.Result.Cause)).Inc()
	gateway := a.Gateway
	if !c.gateways.listed(gateway) {
		gateway = "other"
	}
	m.calls.WithLabelValues(gateway, string(a.Result.Cause)).Inc()
	m.pages.Add(float64(a.Result.Pages))
	if a.Answered() {
		m.fax.Observe(a.EndedAt.Sub(a.AnsweredAt).Seconds())
		m.resumed.Add(float64(a.Parameters.StartPage))
	}
	if job.State.Terminal() {
		m.perFax.Observe(float64(a.Ordinal))
	}
	m.over(job)
}

// over counts a fax that has just ended; one that a person cancelled is neither
// success nor failure.
func (m *metrics) over(job fax.Job) {
	if job.State == fax.Done || job.State == fax.Failed {
		m.faxes.WithLabelValues(string(job.State)).Inc()
	}
}

// queueAge tells, when it is asked, how long the longest due fax has waited, and
// whether the database says so.
type queueAge struct{ c *Controller }

var ageDesc = prometheus.NewDesc("faxbot_queue_age_seconds", "How long the longest due fax waits for its call; 0 when none does.", nil, nil)

var databaseDesc = prometheus.NewDesc("faxbot_database_up", "1 when the database answers this host, else 0.", nil, nil)

func (q queueAge) Describe(ch chan<- *prometheus.Desc) { ch <- ageDesc; ch <- databaseDesc }

func (q queueAge) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	age, err := q.c.queueAge(ctx)
	up := 1.0
	if err != nil {
		up = 0
	}
	ch <- prometheus.MustNewConstMetric(databaseDesc, prometheus.GaugeValue, up)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(ageDesc, err)
		return
	}
	ch <- prometheus.MustNewConstMetric(ageDesc, prometheus.GaugeValue, age.Seconds())
}

// queueAge is how long the longest due fax waits for its call; 0 when none does.
func (c *Controller) queueAge(ctx context.Context) (time.Duration, error) {
	due, waits, err := c.store.NextDue(ctx, time.Unix(0, 0)) // the first of all
	if err != nil || !waits {
		return 0, err
	}
	return max(0, c.store.Now().Sub(due)), nil
}

// jobsByState counts open jobs when it is asked, so that the figure is the
// database's and the same on every host.
type jobsByState struct{ c *Controller }

var jobsDesc = prometheus.NewDesc("faxbot_jobs", "Faxes that have not ended, by state.", []string{"state"}, nil)

func (j jobsByState) Describe(ch chan<- *prometheus.Desc) { ch <- jobsDesc }

func (j jobsByState) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	stats, err := j.c.store.Stats(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(jobsDesc, err)
		return
	}
	for state, n := range stats {
		ch <- prometheus.MustNewConstMetric(jobsDesc, prometheus.GaugeValue, float64(n), string(state))
	}
}
