package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"faxbot/controller/document"
)

func (v *visit) settings() result {
	if v.Settings != nil {
		return fails(strings.Join(strings.Fields(v.Settings.Error()), " "), "change them; faxbot serve --help lists every setting")
	}
	return fine("can be used")
}

// ErrNobodyCalled is told by a patient that takes faxes in and places no calls,
// as its operator wants.
var ErrNobodyCalled = errors.New("faxes are taken in, and nobody is called (FAX_DISABLED)")

func (v *visit) accepting() result {
	if v.Accepting == nil {
		return unknown("no daemon runs here", "")
	}
	switch err := v.Accepting(); {
	case errors.Is(err, ErrNobodyCalled):
		return warn(err.Error(), "unset FAX_DISABLED, then release the faxes that are held")
	case err != nil:
		return failed(err, "wait for the daemon to start again")
	}
	return fine("faxes are taken in")
}

// premises runs a check about the process, where that is known.
func (v *visit) premises(judge func(*Premises) result) result {
	if v.Premises == nil {
		return unknown("the settings are not known here", "")
	}
	return judge(v.Premises)
}

func (v *visit) user() result {
	return v.premises(func(p *Premises) result {
		if p.Owner != "" {
			return fails("this is root, but the documents belong to "+p.Owner+": what root may do says nothing, and files of root would be in the way",
				"sudo -u "+p.Owner+" faxbot doctor, with the daemon's environment")
		}
		if p.Bound {
			return fine("this is the daemon")
		}
		return fine("not root among files of another user; run it as the daemon's")
	})
}

const shortKey = 16 // characters; a random one of these cannot be guessed

func (v *visit) apiKey() result {
	const mend = "API_KEY=$(openssl rand -hex 24)"
	return v.premises(func(p *Premises) result {
		switch {
		case p.KeyLength == 0 && p.InsecureNoAuth:
			return warn("everybody who reaches the address may send faxes (--insecure-no-auth)", mend)
		case p.KeyLength == 0:
			return fails("is not set", mend)
		case p.KeyLength < shortKey:
			return warn(fmt.Sprintf("has %d characters and may be guessed", p.KeyLength), mend)
		}
		return fine("is set")
	})
}

func (v *visit) hookSecret() result {
	return v.premises(func(p *Premises) result {
		if !p.HookSecret {
			return fine("is not set: what a dialplan's hook posts is not believed; nothing else needs it")
		}
		return fine("is set")
	})
}

func (v *visit) webhooks() result {
	return v.premises(func(p *Premises) result {
		switch {
		case p.WebhookSecrets == 0 && p.Webhooks > 0:
			return fails("there are webhooks, and no secret to sign them with", "FAXBOT_WEBHOOK_SECRETS=whsec_$(openssl rand -base64 32)")
		case p.WebhookSecrets == 0:
			return fine("FAXBOT_WEBHOOK_URLS names none; without a secret, a callback_url in a fax is refused")
		}
		return fine(fmt.Sprintf("%d for every fax; they are signed", p.Webhooks))
	})
}

const expiresSoon = 14 * 24 * time.Hour

func (v *visit) tls() result {
	return v.premises(func(p *Premises) result {
		if p.TLSCert == "" {
			return plainText(p.Addresses)
		}
		pair, err := tls.LoadX509KeyPair(p.TLSCert, p.TLSKey)
		if err != nil {
			return fails(err.Error(), "FAXBOT_TLS_CERT and FAXBOT_TLS_KEY must name a certificate and its key, in PEM, that this user may read")
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			return fails(err.Error(), "have the certificate made anew")
		}
		return certificate(leaf, time.Now())
	})
}

func certificate(leaf *x509.Certificate, now time.Time) result {
	until := leaf.NotAfter.UTC().Format(time.DateOnly)
	const mend = "renew it; the daemon reads it again by itself"
	switch {
	case now.After(leaf.NotAfter):
		return fails("the certificate expired on "+until, mend)
	case now.Before(leaf.NotBefore):
		return fails("the certificate is not valid before "+leaf.NotBefore.UTC().Format(time.RFC3339), "wait, or set this host's clock")
	case leaf.NotAfter.Sub(now) < expiresSoon:
		return warn("the certificate expires on "+until, mend)
	}
	return fine("the certificate is good until " + until)
}

// plainText judges REST without TLS, which is the first of the addresses.
func plainText(addresses []Address) result {
	if len(addresses) > 0 {
		if host, _, _ := net.SplitHostPort(addresses[0].Address); host != "localhost" && !net.ParseIP(host).IsLoopback() {
			return warn("REST is open to other hosts without TLS, at "+addresses[0].Address,
				"set FAXBOT_TLS_CERT and FAXBOT_TLS_KEY; with a proxy for TLS on this host, FAXBOT_LISTEN=127.0.0.1:8080")
		}
	}
	return fine("none, and REST is for this host only")
}

func (v *visit) ports() result {
	return v.premises(func(p *Premises) result {
		var broken, all []string
		for _, a := range p.Addresses {
			all = append(all, a.Address)
			if p.Bound {
				continue
			}
			l, err := net.Listen("tcp", a.Address)
			if err != nil {
				broken = append(broken, fmt.Sprintf("%s: %v", a.Setting, err))
				continue
			}
			_ = l.Close() // it was only a question
		}
		if len(broken) > 0 {
			return fails(strings.Join(broken, ", "), "use a free address, or end the program that has it (ss -ltnp)")
		}
		return fine(strings.Join(all, ", ") + map[bool]string{true: " are listened on", false: " are free"}[p.Bound])
	})
}

// otherFiles are those that a daemon opens beside the connections of calls.
const otherFiles = 300

func (v *visit) openFiles() result {
	return v.premises(func(p *Premises) result {
		var limit unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			return unknown(err.Error(), "")
		}
		if want := uint64(p.Connections + otherFiles); limit.Cur < want {
			return warn(fmt.Sprintf("this process may open %d files; %d calls at once want %d", limit.Cur, p.Connections, want),
				fmt.Sprintf("LimitNOFILE=%d in the unit (ulimit -n), or a smaller FAXBOT_SOCKET_CONNECTIONS", want))
		}
		return fine(fmt.Sprintf("%d", limit.Cur))
	})
}

// Risk is told of a database that works and may yet lose what it confirms.
type Risk string

// Error implements error.
func (r Risk) Error() string { return string(r) }

func (v *visit) database() result {
	found, err := v.Database(v.ctx)
	var risk Risk
	if errors.As(err, &risk) {
		return warn(risk.Error(), "have PostgreSQL wait for the disk, and for the standby: fsync = on, synchronous_commit = on, synchronous_standby_names = '*'")
	}
	if err != nil {
		return failed(err, "see DATABASE_URL: is the server up, may this user write, is there room on the disk?")
	}
	return fine(found)
}

func (v *visit) documents() result {
	folder, err := v.Documents()
	if err == nil {
		v.folder = folder
		err = folder.CheckWritable()
	}
	if err != nil {
		const mend = "FAX_DATA_DIR must name a folder that the daemon's user may write"
		if errors.Is(err, fs.ErrPermission) {
			return fails(err.Error(), mend+": chown it")
		}
		return failed(err, mend)
	}
	return fine(folder.Dir)
}

func (v *visit) bucket() result {
	if v.folder.Bucket == nil {
		return fine("none; documents are kept in the folder alone")
	}
	if err := v.folder.CheckBucket(v.ctx); err != nil {
		return failed(err, "")
	}
	return fine("can be used")
}

const littleFree = 1 << 30 // bytes

func (v *visit) disk() result {
	free, err := v.folder.CheckFree()
	switch {
	case err != nil:
		return failed(err, "")
	case free < littleFree:
		return warn(fmt.Sprintf("only %d MiB are free for documents", free>>20), "enlarge the disk, or keep documents for fewer days (ARTIFACT_TTL_DAYS)")
	}
	return fine(fmt.Sprintf("%d MiB are free", free>>20))
}

func (v *visit) ghostscript() result {
	version, err := v.folder.CheckGhostscript(v.ctx)
	if err != nil {
		return failed(err, "apt-get install ghostscript")
	}
	return fine("Ghostscript " + version)
}

// helpers are programs that nobody must have.
func (v *visit) helpers() result {
	f := v.folder
	libreOffice, muPDF := f.Programs()
	for _, p := range [][3]string{{"FAXBOT_LIBREOFFICE", f.LibreOffice, libreOffice}, {"FAXBOT_MUPDF", f.MuPDF, muPDF}} {
		if setting, named, path := p[0], p[1], p[2]; named != "" && named != document.None && path == "" {
			return warn(fmt.Sprintf("%s is %q, which is no program", setting, named), "give its path, or leave the setting out, or set it to "+document.None)
		}
	}
	office := libreOffice + " reads office documents"
	if missing := f.MissingOffice(); f.LibreOffice == document.None {
		office = "office documents are refused (FAXBOT_LIBREOFFICE is none)"
	} else if len(missing) > 0 {
		office = "office documents are refused, or some of them: apt-get install " + strings.Join(missing, " ") + " if you want them"
	}
	plain := muPDF + " draws plain PDFs"
	if f.MuPDF == document.None {
		plain = "Ghostscript draws every PDF (FAXBOT_MUPDF is none)"
	} else if muPDF == "" {
		plain = "plain PDFs take less work where MuPDF is (apt-get install mupdf-tools)"
	}
	return fine(office + "; " + plain)
}

func (v *visit) drawing() result {
	began := time.Now()
	if err := v.folder.TryDrawing(v.ctx); err != nil {
		return failed(err, "the log of the daemon has what Ghostscript said; apt-get install --reinstall ghostscript libgs-common")
	}
	return fine(fmt.Sprintf("in %d ms", time.Since(began).Milliseconds()))
}
