package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"faxbot/controller/doctor"
	"faxbot/controller/fax"
)

func (a *API) adminRoutes() []route {
	return []route{
		{"GET /admin/fax-jobs", keysManage, a.adminList},
		{"GET /admin/fax-jobs/{id}", keysManage, a.adminFind},
		{"GET /admin/fax-jobs/{id}/pdf", keysManage, a.adminPDF},
		{"GET /admin/fax-jobs/{id}/attempts/{attempt}/recording", keysManage, a.recording},
		{"GET /admin/health-status", keysManage, a.adminHealth},
		{"GET /admin/overview", keysManage, a.overview},
		{"GET /admin/hosts", keysManage, a.hosts},
		{"GET /admin/statistics", keysManage, a.statistics},
		{"GET /admin/db-status", keysManage, a.adminDatabase},
		a.diagnosis(),
		{"GET /admin/logs", keysManage, a.adminLogs},
	}
}

// jobView is a fax as administrators see it: they look after all of them, and
// need not know who writes to whom.
type jobView struct {
	ID        fax.JobID  `json:"id"`
	To        string     `json:"to_number"` // the last four digits
	Status    fax.Status `json:"status"`
	Backend   string     `json:"backend"`
	Pages     *int       `json:"pages"`
	Error     *string    `json:"error"`
	CreatedAt *string    `json:"created_at"`
	UpdatedAt *string    `json:"updated_at"`

	State fax.State  `json:"state"`
	Cause *fax.Cause `json:"cause"`
	Key   *string    `json:"key_id"` // that it was submitted with; null for the bootstrap key
}

func jobViewOf(j fax.Job) jobView {
	v := viewOf(j)
	return jobView{
		ID: v.ID, To: j.To.Masked(), Status: v.Status, Backend: v.Backend, Pages: v.Pages, Error: v.Error,
		CreatedAt: v.CreatedAt, UpdatedAt: v.UpdatedAt, State: v.State, Cause: v.Cause, Key: orNull(j.Owner),
	}
}

// adminList answers GET /admin/fax-jobs.
func (a *API) adminList(w http.ResponseWriter, r *http.Request, _ principal) error {
	f, err := filterOf(r)
	if err != nil {
		return err
	}
	if s := r.URL.Query().Get("offset"); s != "" {
		n, err := strconv.ParseUint(s, 10, 31)
		if err != nil {
			return &fax.Error{Problem: badField, Detail: "Invalid offset: use a whole number from 0"}
		}
		f.Offset = int(n)
	}
	total, err := a.config.Controller.Count(r.Context(), f)
	if err != nil {
		return err
	}
	jobs, err := a.config.Controller.List(r.Context(), f)
	if err != nil {
		return err
	}
	list := make([]jobView, len(jobs))
	for i, j := range jobs {
		list[i] = jobViewOf(j)
	}
	reply(w, http.StatusOK, map[string]any{"total": total, "jobs": list})
	return nil
}

// adminFind answers GET /admin/fax-jobs/{id}.
func (a *API) adminFind(w http.ResponseWriter, r *http.Request, who principal) error {
	id, err := fax.ParseJobID(r.PathValue("id"))
	if err != nil {
		return err
	}
	job, _, err := a.known(r, who, id)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, jobViewOf(job))
	return nil
}

// adminPDF answers GET /admin/fax-jobs/{id}/pdf.
func (a *API) adminPDF(w http.ResponseWriter, r *http.Request, who principal) error {
	id, err := a.named(r, who)
	if err != nil {
		return err
	}
	return a.download(w, r, id)
}

// recording answers GET /admin/fax-jobs/{id}/attempts/{attempt}/recording.
func (a *API) recording(w http.ResponseWriter, r *http.Request, who principal) error {
	id, err := a.named(r, who)
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(r.PathValue("attempt"), 10, 31)
	if err != nil {
		return &fax.Error{Problem: fax.NotFound, Detail: "Not Found"}
	}
	text, err := a.config.Controller.Recording(r.Context(), id, int(n))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=\"fax-%s-call-%d.txt\"", id, n))
	return send(w, "text/plain; charset=utf-8", text)
}

// adminHealth answers GET /admin/health-status.
func (a *API) adminHealth(w http.ResponseWriter, r *http.Request, _ principal) error {
	ok, checks := judged(a.ready.ask(r.Context(), a.config.Controller.Patient()), true)
	open, err := a.config.Controller.Stats(r.Context())
	if err != nil {
		return err
	}
	jobs := map[fax.Status]int{fax.StatusQueued: 0, fax.StatusInProgress: 0}
	for state, n := range open {
		jobs[state.Status()] += n
	}
	reply(w, http.StatusOK, map[string]any{
		"timestamp": stamp(time.Now()), "backend": "freeswitch", "backend_healthy": ok,
		"version": a.config.Version, "jobs": jobs, "states": open, "checks": checks,
	})
	return nil
}

// adminDatabase answers GET /admin/db-status: it was written and read just now.
func (a *API) adminDatabase(w http.ResponseWriter, r *http.Request, _ principal) error {
	began := time.Now()
	status := map[string]any{"connected": true, "detail": nil}
	if err := a.config.Controller.Database(r.Context()); err != nil {
		status["connected"], status["detail"] = false, err.Error()
	}
	status["seconds"] = time.Since(began).Seconds()
	reply(w, http.StatusOK, status)
	return nil
}

// diagnosis is on both listeners: the internal one needs no TLS, nor a name that
// its certificate knows.
func (a *API) diagnosis() route {
	return route{"POST /admin/diagnostics/run", keysManage, a.diagnose}
}

// diagnose answers POST /admin/diagnostics/run: everything is tried afresh, also
// a call that leads nowhere. One at a time is enough.
func (a *API) diagnose(w http.ResponseWriter, r *http.Request, _ principal) error {
	patient, err := a.patient(r)
	if err != nil {
		return err
	}
	patient.Premises = a.terms.Load().Premises
	a.examining.Lock()
	defer a.examining.Unlock()
	list := doctor.Examine(r.Context(), patient)
	_, checks := judged(list, true)
	issues, warnings := []string{}, []string{}
	for _, f := range list {
		switch f.Outcome {
		case doctor.Fails:
			issues = append(issues, f.Check+": "+f.Detail())
		case doctor.Warning:
			warnings = append(warnings, f.Check+": "+f.Detail())
		default:
		}
	}
	reply(w, http.StatusOK, map[string]any{
		"timestamp": stamp(time.Now()), "backend": "freeswitch", "version": a.config.Version, "checks": checks, "findings": list,
		"summary": map[string]any{"healthy": len(issues) == 0, "critical_issues": issues, "warnings": warnings},
	})
	return nil
}

// patient is the daemon as it is, or as it would be with the settings that the
// request names: those of FreeSWITCH and the gateways, before they are stored.
func (a *API) patient(r *http.Request) (doctor.Patient, error) {
	var asked struct {
		Settings json.RawMessage `json:"settings"`
	}
	if err := readJSON(r, &asked); err != nil || asked.Settings == nil || a.config.Settings == nil {
		return a.config.Controller.Patient(), err
	}
	texts, err := textsOf(asked.Settings)
	if err != nil {
		return doctor.Patient{}, err
	}
	policy, flaws, err := a.config.Settings.Trial(texts)
	if err != nil {
		return doctor.Patient{}, err
	}
	if len(flaws) > 0 {
		return doctor.Patient{}, flawed("These cannot be tried", flaws)
	}
	return a.config.Controller.PatientWith(policy)
}

// judged is what findings come to; a warning is no failure, and what was skipped
// is left out. What is wrong in detail is for operators: it may name addresses
// and folders.
func judged(list []doctor.Finding, details bool) (ok bool, checks map[string]checked) {
	checks = map[string]checked{}
	for _, f := range list {
		if f.Outcome == doctor.Skipped {
			continue
		}
		k := checked{OK: f.Outcome != doctor.Fails}
		if details {
			k.Detail = orNull(f.Detail())
		}
		checks[f.Check] = k
	}
	return doctor.Worst(list) != doctor.Fails, checks
}
