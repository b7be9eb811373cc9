package main

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"faxbot/api"
	"faxbot/controller"
	"faxbot/controller/document"
	"faxbot/controller/document/bucket"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch"
	"faxbot/controller/webhook"
	"faxbot/dialplan"
)

// settings are what a daemon works with: flags, environment, help and rules in
// one place. The environment's names are those that deployments of the original
// Faxbot have. Administrators can store most of them, beneath flags and
// environment (layers.go): "apply" says which of those take effect now, and
// which never: those that must be known before the database is, and those that
// name a folder, since no request decides where files are; the others do at the
// next start.
type settings struct {
	HTTP    httpSettings    `embed:"" group:"HTTP"`
	Inside  insideSettings  `embed:"" group:"HTTP"`
	Storage storageSettings `embed:"" group:"Storage"`
	Drawing drawingSettings `embed:"" group:"Programs that read documents"`
	Switch  switchSettings  `embed:"" group:"FreeSWITCH"`
	Socket  socketSettings  `embed:"" group:"Socket to which FreeSWITCH connects answered calls"`
	Fax     faxSettings     `embed:"" group:"Faxes"`
	Webhook webhookSettings `embed:"" group:"Webhooks (Standard Webhooks)"`
	Life    lifeSettings    `embed:"" group:"Life"`
}

type httpSettings struct {
	Listen               string `name:"listen" default:"127.0.0.1:8080" env:"FAXBOT_LISTEN" placeholder:"HOST:PORT" validate:"listen" help:"Where REST is served; port 0 takes a free one (${default})."`
	APIKey               secret `name:"api-key" env:"API_KEY" placeholder:"KEY" validate:"required_without=InsecureNoAuth,omitempty,word" apply:"never" help:"The key that may do everything. Set it in the environment: other users can see flags."`
	InsecureNoAuth       bool   `name:"insecure-no-auth" apply:"never" help:"Let everybody who reaches the address send faxes; only without API_KEY."`
	RequireAPIKey        bool   `name:"require-api-key" env:"REQUIRE_API_KEY" apply:"never" help:"Refuse --insecure-no-auth. Without that no daemon starts without a key, whatever this says."`
	MaxFileSizeMB        int64  `name:"max-file-size-mb" default:"10" env:"MAX_FILE_SIZE_MB" placeholder:"MB" validate:"min=1,max=1024" apply:"now" help:"All files of one fax together, in MiB (${default})."`
	MaxRequestsPerMinute int    `name:"max-requests-per-minute" default:"0" env:"MAX_REQUESTS_PER_MINUTE" placeholder:"N" validate:"min=0" apply:"now" help:"Of one key, on one route; 0 for any number (${default})."`
	TLSCert              string `name:"tls-cert" env:"FAXBOT_TLS_CERT" placeholder:"FILE" validate:"required_with=TLSKey" help:"Certificate chain in PEM, to serve REST with TLS; read again when it changes."`
	TLSKey               string `name:"tls-key" env:"FAXBOT_TLS_KEY" placeholder:"FILE" validate:"required_with=TLSCert" help:"Its key in PEM."`
	PublicURL            string `name:"public-url" env:"PUBLIC_API_URL" placeholder:"URL" validate:"omitempty,http_url" apply:"now" help:"Where clients reach REST, for links to documents (links come without a host)."`
	LinkMinutes          int    `name:"pdf-token-ttl-minutes" default:"60" env:"PDF_TOKEN_TTL_MINUTES" placeholder:"N" validate:"min=1,max=43200" apply:"now" help:"How long a link to a document is good (${default})."`
}

// insideSettings are about what is served to our own machines.
type insideSettings struct {
	Listen  string `name:"internal-listen" default:"127.0.0.1:8081" env:"FAXBOT_INTERNAL_LISTEN" placeholder:"HOST:PORT" validate:"listen" help:"Where /metrics and the result hook are served, for your own machines only (${default})."`
	HookURL string `name:"hook-url" env:"FAXBOT_HOOK_URL" placeholder:"URL" validate:"omitempty,http_url" help:"Where FreeSWITCH reaches the result hook, for its dialplan (on the internal listener)."`
}

type storageSettings struct {
	DatabaseURL secret        `name:"database-url" default:"sqlite:///./faxbot.db" env:"DATABASE_URL" placeholder:"URL" validate:"required" apply:"never" help:"sqlite:///./FILE, sqlite:////DIR/FILE or postgresql://USER:PASSWORD@HOST/NAME, also HOST,STANDBY (sqlite:///./faxbot.db)."`
	DataDir     string        `name:"data-dir" default:"./faxdata" env:"FAX_DATA_DIR" placeholder:"DIR" validate:"required" apply:"never" help:"Documents; FreeSWITCH reads the pages from here (${default})."`
	KeepDays    int           `name:"keep-days" default:"0" env:"ARTIFACT_TTL_DAYS" placeholder:"N" validate:"min=0,max=36500" apply:"now" help:"Days that documents are kept after their fax has ended, however it did; 0 for ever (${default})."`
	KeepFaxes   int           `name:"keep-fax-days" default:"0" env:"FAXBOT_KEEP_FAX_DAYS" placeholder:"N" validate:"min=0,max=36500" apply:"now" help:"Days that a fax is known after it has ended, with its calls; then it is erased, documents included; 0 for ever (${default})."`
	Purge       bool          `name:"purge-on-success" env:"FAXBOT_PURGE_ON_SUCCESS" apply:"now" help:"Delete the documents of a fax, and what its cover said, as soon as it is delivered."`
	CoverDir    string        `name:"cover-dir" env:"FAXBOT_COVER_DIR" placeholder:"DIR" apply:"never" help:"Templates of cover pages, NAME.txt each, with the marks {{to}} {{from}} {{pages}} {{date}} {{subject}} {{message}}; \"plain\" is built in."`
	DocumentURL string        `name:"document-url" env:"FAXBOT_DOCUMENT_URL" apply:"never" placeholder:"URL" validate:"omitempty,fetchurl" help:"Where FreeSWITCH reaches --internal-listen, to fetch the pages of each call with mod_http_cache (it shares the folder)."`
	AuditDays   int           `name:"audit-days" default:"365" env:"FAXBOT_AUDIT_DAYS" placeholder:"N" validate:"min=1,max=36500" apply:"now" help:"Days that the audit log is kept (${default})."`
	RecordCalls int           `name:"record-calls" default:"100" env:"FAXBOT_RECORD_CALLS" placeholder:"N" validate:"min=0,max=1000" apply:"now" help:"Calls at once whose conversation with FreeSWITCH is kept beside their documents, for faxbot replay; 0 for none (${default})."`
	Backend     string        `name:"storage-backend" default:"local" env:"STORAGE_BACKEND" apply:"never" placeholder:"local|s3" validate:"oneof=local s3" help:"Where documents are kept: in the folder, or in a bucket of S3 of which the folder is a cache (${default})."`
	Bucket      string        `name:"s3-bucket" env:"S3_BUCKET" apply:"never" placeholder:"NAME" validate:"required_if=Backend s3" help:"The bucket."`
	Prefix      string        `name:"s3-prefix" default:"faxbot/" env:"S3_PREFIX" apply:"never" placeholder:"TEXT" validate:"printascii" help:"Before the names of our files in it (${default})."`
	Region      string        `name:"s3-region" env:"S3_REGION" apply:"never" placeholder:"NAME" help:"Its region (the server is asked)."`
	Endpoint    string        `name:"s3-endpoint-url" env:"S3_ENDPOINT_URL" apply:"never" placeholder:"URL" validate:"omitempty,http_url" help:"A server that speaks as S3 does (Amazon's)."`
	KMSKey      string        `name:"s3-kms-key-id" env:"S3_KMS_KEY_ID" apply:"never" placeholder:"ID" help:"Key in KMS that the server encrypts with (the bucket's rule)."`
	AccessKey   string        `name:"aws-access-key-id" env:"AWS_ACCESS_KEY_ID" apply:"never" placeholder:"ID" help:"Credentials (~/.aws/credentials, or the role of the machine)."`
	SecretKey   secret        `name:"aws-secret-access-key" env:"AWS_SECRET_ACCESS_KEY" apply:"never" placeholder:"KEY" help:"Set it in the environment: other users can see flags."`
	Session     secret        `name:"aws-session-token" env:"AWS_SESSION_TOKEN" apply:"never" placeholder:"TOKEN" help:"Of temporary credentials."`
	Host        string        `name:"host" env:"FAXBOT_HOST" placeholder:"NAME" validate:"omitempty,max=100,word" apply:"never" help:"Names this daemon among those that share the database; stays the same over restarts (the host's name)."`
	Lease       time.Duration `name:"lease" default:"30s" env:"FAXBOT_LEASE" placeholder:"TIME" validate:"min=1s,max=10m" apply:"never" help:"After such a silence of a host the others take its calls over; the same on all hosts (${default})."`
}

// drawingSettings are never those that are stored: no request decides what
// programs are run.
type drawingSettings struct {
	Ghostscript string `name:"ghostscript" env:"FAXBOT_GHOSTSCRIPT" apply:"never" placeholder:"PROGRAM" validate:"omitempty,program" help:"Draws PDFs (gs)."`
	MuPDF       string `name:"mupdf" env:"FAXBOT_MUPDF" apply:"never" placeholder:"PROGRAM|none" validate:"omitempty,program" help:"Draws plain PDFs faster; without it, or with none, Ghostscript draws all of them (mutool)."`
	LibreOffice string `name:"libreoffice" env:"FAXBOT_LIBREOFFICE" apply:"never" placeholder:"PROGRAM|none" validate:"omitempty,program" help:"Makes PDFs of office documents; without it, or with none, these are refused (soffice, or libreoffice)."`
}

type switchSettings struct {
	Host     string        `name:"freeswitch-host" default:"127.0.0.1" env:"FREESWITCH_ESL_HOST" placeholder:"HOST" validate:"hostname_rfc1123|ip" apply:"now" help:"Where mod_event_socket listens (${default})."`
	Port     int           `name:"freeswitch-port" default:"8021" env:"FREESWITCH_ESL_PORT" placeholder:"PORT" validate:"min=1,max=65535" apply:"now" help:"Its port (${default})."`
	Password secret        `name:"freeswitch-password" default:"ClueCon" env:"FREESWITCH_ESL_PASSWORD" placeholder:"WORD" validate:"word" apply:"now" help:"Its password; FreeSWITCH's own default is ClueCon."`
	Several  secret        `name:"switches" env:"FAXBOT_SWITCHES" placeholder:"SWITCHES" validate:"omitempty,switches" apply:"now" help:"Several FreeSWITCHes with semicolons between them, each as NAME=HOST:PORT and perhaps password=WORD socket=HOST:PORT gateways=NAME,NAME channels=N; they take the place of the host, port and password above."`
	Gateway  string        `name:"gateway-name" default:"gw_signalwire" env:"FREESWITCH_GATEWAY_NAME" placeholder:"NAME" validate:"gateways" apply:"now" help:"mod_sofia's gateway to the telephone network, or several with commas between them, the preferred first; neighbours with weights, as in gw_a*3,gw_b*1, share (${default})."`
	Routes   string        `name:"routes" env:"FREESWITCH_ROUTES" placeholder:"ROUTES" validate:"omitempty,routes" apply:"now" help:"Other gateways for the numbers that begin so; the longest beginning wins: +49=gw_de,gw_a;+1=gw_us."`
	Channels string        `name:"gateway-channels" default:"100" env:"FREESWITCH_GATEWAY_CHANNELS" placeholder:"N" validate:"channels" apply:"now" help:"Calls at once through each; 100,gw_a=30 for another number through one (${default})."`
	CPS      string        `name:"gateway-cps" default:"10" env:"FREESWITCH_GATEWAY_CPS" placeholder:"N" validate:"cps" apply:"now" help:"New calls per second through each; 10,gw_a=0.5 for another number through one (${default})."`
	Ring     time.Duration `name:"ring" default:"1m" env:"FAXBOT_RING" placeholder:"TIME" validate:"min=1s,max=10m" apply:"now" help:"How long a call may ring (${default})."`
	Grace    time.Duration `name:"grace" default:"15s" env:"FAXBOT_GRACE" placeholder:"TIME" validate:"min=1s,max=10m" apply:"now" help:"How long news of a call may be late before FreeSWITCH is asked (${default})."`
	T38      bool          `name:"t38" default:"true" negatable:"" env:"FREESWITCH_T38_ENABLE" apply:"now" help:"Offer T.38 (${default})."`
	Dialplan string        `name:"dialplan" env:"FAXBOT_DIALPLAN" placeholder:"EXTENSION XML CONTEXT" validate:"route" help:"Send calls through this extension of FreeSWITCH's dialplan, should your site want something done with each; it ends in our socket (straight to the socket)."`
	Guests   bool          `name:"guest-calls" env:"FAXBOT_GUEST_CALLS" help:"Take calls that others placed on FreeSWITCH, when they reach our socket for a fax that is due (${default})."`
	// The second name is what guides for the original Faxbot tell people to set.
	HookSecret secret `name:"hook-secret" env:"FREESWITCH_HOOK_SECRET,ASTERISK_INBOUND_SECRET" placeholder:"WORD" validate:"omitempty,word" apply:"now" help:"What a dialplan must send as X-Internal-Secret with a result; without it none is believed."`
}

type socketSettings struct {
	Listen      string        `name:"socket-listen" default:"127.0.0.1:8084" env:"FAXBOT_SOCKET_LISTEN" placeholder:"HOST:PORT" validate:"listen" help:"Where to listen (${default})."`
	Advertise   string        `name:"socket-advertise" env:"FAXBOT_SOCKET_ADVERTISE" placeholder:"HOST:PORT" validate:"omitempty,hostname_port" help:"The same as FreeSWITCH reaches it (the address listened on)."`
	Allow       []string      `name:"socket-allow" env:"FAXBOT_SOCKET_ALLOW" placeholder:"CIDR" validate:"dive,network" help:"Where FreeSWITCH may connect from (127.0.0.0/8,::1/128)."`
	Connections int           `name:"socket-connections" default:"12000" env:"FAXBOT_SOCKET_CONNECTIONS" placeholder:"N" validate:"min=1" help:"Connections at once (${default})."`
	PerAddress  int           `name:"socket-per-address" default:"12000" env:"FAXBOT_SOCKET_PER_ADDRESS" placeholder:"N" validate:"min=1" help:"Connections at once from one address (${default})."`
	Handshake   time.Duration `name:"socket-handshake" default:"10s" env:"FAXBOT_SOCKET_HANDSHAKE" placeholder:"TIME" validate:"min=100ms,max=10m" help:"Until a connection must have said which call it is (${default})."`
	Messages    int           `name:"socket-messages" default:"500" env:"FAXBOT_SOCKET_MESSAGES" placeholder:"N" validate:"min=20" help:"Messages per second of one connection (${default})."`
	HeadBytes   int           `name:"socket-head-bytes" default:"65536" env:"FAXBOT_SOCKET_HEAD_BYTES" placeholder:"N" validate:"min=16384" help:"Of the head of one message (${default})."`
	HeadLines   int           `name:"socket-head-lines" default:"1000" env:"FAXBOT_SOCKET_HEAD_LINES" placeholder:"N" validate:"min=300" help:"In the head of one message (${default})."`
	BodyBytes   int           `name:"socket-body-bytes" default:"262144" env:"FAXBOT_SOCKET_BODY_BYTES" placeholder:"N" validate:"min=16384" help:"Of the body of one message (${default})."`
	Write       time.Duration `name:"socket-write" default:"10s" env:"FAXBOT_SOCKET_WRITE" placeholder:"TIME" validate:"min=100ms,max=10m" help:"Until a command must have been taken (${default})."`
	KeepAlive   time.Duration `name:"socket-keep-alive" default:"30s" env:"FAXBOT_SOCKET_KEEP_ALIVE" placeholder:"TIME" validate:"min=3s,max=1h" help:"After such a silence a connection is probed, to notice a dead peer (${default})."`
}

// limits bound what a peer of the event socket may do.
func (s socketSettings) limits() freeswitch.Limits {
	return freeswitch.Limits{
		HeadBytes: s.HeadBytes, HeadLines: s.HeadLines, BodyBytes: s.BodyBytes, Frames: s.Messages,
		Handshake: s.Handshake, Write: s.Write, KeepAlive: s.KeepAlive,
		Connections: s.Connections, PerAddress: s.PerAddress,
	}
}

type faxSettings struct {
	CallerID  string `name:"caller-id" env:"FREESWITCH_CALLER_ID_NUMBER" placeholder:"NUMBER" validate:"callerid" apply:"now" help:"Calling number (left to the gateway)."`
	StationID string `name:"station-id" env:"FAX_LOCAL_STATION_ID" placeholder:"TEXT" validate:"max=20,printascii" apply:"now" help:"Shown on the other machine's display, usually the own number; at most 20 characters."`
	Header    string `name:"header" env:"FAX_HEADER" placeholder:"TEXT" validate:"max=50,line" apply:"now" help:"Printed above each page; at most 50 characters."`
	Disabled  bool   `name:"fax-disabled" env:"FAX_DISABLED" apply:"now" help:"Take faxes in and convert them, but call nobody: they are held with the status \"disabled\"."`
	Continued bool   `name:"continued" env:"FAX_HEADER_CONTINUED" apply:"now" help:"Say so in the header when a call goes on with a fax: (continued, page 4 of 10)."`
	Window    string `name:"window" env:"FAXBOT_WINDOW" placeholder:"HH:MM-HH:MM" validate:"omitempty,window" apply:"now" help:"Call only in these hours, by the clock at the number; a fax may name others, or always."`
	OnUnknown string `name:"on-unknown" default:"hold" env:"FAXBOT_ON_UNKNOWN" placeholder:"hold|retry" validate:"oneof=hold retry" apply:"now" help:"What follows when nobody can know whether pages arrived: ask a person, or risk sending them twice (${default})."`
}

type webhookSettings struct {
	URLs         []secret `name:"webhook-url" env:"FAXBOT_WEBHOOK_URLS" placeholder:"URL" validate:"dive,webhook" apply:"now" help:"Told what becomes of every fax; several with commas between them."`
	Secrets      []secret `name:"webhook-secret" env:"FAXBOT_WEBHOOK_SECRETS" placeholder:"SECRET" validate:"required_with=URLs,dive,whsec" apply:"now" help:"Signs; without one faxes cannot have a callback_url. While receivers change over, the new one and the old one."`
	AllowPrivate bool     `name:"webhook-allow-private" env:"FAXBOT_WEBHOOK_ALLOW_PRIVATE" apply:"now" help:"Also to addresses in private and local networks."`
}

type lifeSettings struct {
	Drain     time.Duration `name:"drain" default:"5m" env:"FAXBOT_DRAIN" placeholder:"TIME" validate:"min=0s" apply:"never" help:"How long calls may take to finish after the first SIGINT or SIGTERM (${default})."`
	LogFormat string        `name:"log-format" default:"text" env:"FAXBOT_LOG_FORMAT" placeholder:"text|json" validate:"oneof=text json" apply:"never" help:"${default}."`
	LogLevel  string        `name:"log-level" default:"info" env:"FAXBOT_LOG_LEVEL" placeholder:"debug|info|warn|error" validate:"oneof=debug info warn error" apply:"now" help:"${default}."`
}

// secret is text that is never printed.
type secret string

// String hides the text.
func (secret) String() string { return "(hidden)" }

// bucket is where documents are kept beside the folder; nil for nowhere.
func (s storageSettings) bucket() (*bucket.Bucket, error) {
	if s.Backend != "s3" {
		return nil, nil
	}
	if (s.AccessKey == "") != (s.SecretKey == "") {
		return nil, errors.New("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: set both, or neither")
	}
	return bucket.Open(bucket.Config{
		Name: s.Bucket, Prefix: s.Prefix, Region: s.Region, Endpoint: s.Endpoint, KMSKey: s.KMSKey,
		AccessKey: s.AccessKey, SecretKey: string(s.SecretKey), SessionToken: string(s.Session),
	})
}

// documents returns how documents are kept and drawn; the caller adds the logger
// and closes the folder.
func (s settings) documents() (document.Config, error) {
	copies, err := s.Storage.bucket()
	return document.Config{
		Dir: s.Storage.DataDir, MaxBytes: s.HTTP.MaxFileSizeMB << 20, Bucket: copies,
		Ghostscript: s.Drawing.Ghostscript, MuPDF: s.Drawing.MuPDF, LibreOffice: s.Drawing.LibreOffice,
	}, err
}

// hostName names this daemon in the database.
func (s settings) hostName() (string, error) {
	if s.Storage.Host != "" {
		return s.Storage.Host, nil
	}
	return os.Hostname()
}

// controller returns what the controller is told; the caller adds the store,
// the documents, the logger and the registerer.
func (s settings) controller() controller.Config {
	return controller.Config{
		Policy: s.policy(),
		Covers: s.Storage.CoverDir,

		Journal: filepath.Join(s.Storage.DataDir, "verdicts"),

		DocumentURL: s.Storage.DocumentURL,
		Socket: freeswitch.ListenerConfig{
			Address: s.Socket.Listen,
			Allow:   networks(s.Socket.Allow),
			Limits:  s.Socket.limits(),
		},
		Advertise: s.Socket.Advertise,
		Dialplan:  s.Switch.entry(),
		Guests:    s.Switch.Guests,
		Lease:     s.Storage.Lease,
		Version:   version(),
		Link:      freeswitch.LinkConfig{Limits: s.Socket.limits()},
	}
}

// policy is the part of the settings that the controller can change while it
// runs.
func (s settings) policy() controller.Policy {
	gateways, routes := s.Switch.ways()
	return controller.Policy{
		Gateways:  gateways,
		Routes:    routes,
		Switches:  s.Switch.switches(),
		Retention: time.Duration(s.Storage.KeepDays) * 24 * time.Hour,
		Records:   time.Duration(s.Storage.KeepFaxes) * 24 * time.Hour,
		Audit:     time.Duration(s.Storage.AuditDays) * 24 * time.Hour,

		PurgeOnSuccess: s.Storage.Purge,
		RecordCalls:    s.Storage.RecordCalls,

		Disabled:  s.Fax.Disabled,
		T38:       s.Switch.T38,
		Ring:      s.Switch.Ring,
		Grace:     s.Switch.Grace,
		CallerID:  s.Fax.CallerID,
		StationID: s.Fax.StationID,
		Header:    s.Fax.Header,
		Continued: s.Fax.Continued,
		Window:    s.Fax.Window,
		OnUnknown: map[string]fax.Next{"hold": fax.Hold, "retry": fax.Again}[s.Fax.OnUnknown],
	}
}

// terms are the part of the settings that the API can change while it runs.
func (s settings) terms(w *webhook.Sender) api.Terms {
	t := api.Terms{
		HookSecret:        string(s.Switch.HookSecret),
		MaxBytes:          s.HTTP.MaxFileSizeMB << 20,
		RequestsPerMinute: s.HTTP.MaxRequestsPerMinute,
		PublicURL:         s.HTTP.PublicURL,
		LinkTTL:           time.Duration(s.HTTP.LinkMinutes) * time.Minute,
		Webhooks:          texts(s.Webhook.URLs),
		Premises:          s.premises(true),
	}
	if len(s.Webhook.Secrets) > 0 { // without one nobody could tell us from a stranger
		t.CheckCallback = w.Check
	}
	return t
}

// webhookTerms are those of the sender of webhooks.
func (s settings) webhookTerms() webhook.Terms {
	return webhook.Terms{Secrets: texts(s.Webhook.Secrets), AllowPrivate: s.Webhook.AllowPrivate}
}

// route is what the rule "route" has seen.
func (s switchSettings) entry() dialplan.Entry {
	r, err := dialplan.ParseEntry(s.Dialplan)
	if err != nil {
		return dialplan.Entry{}
	}
	return r
}

// near says whether FreeSWITCH runs on this host, all of them if there are
// several.
func (s switchSettings) near() bool { return s.far() == "" }

// far is the host of a FreeSWITCH that runs elsewhere; "" when none does.
func (s switchSettings) far() string {
	for _, one := range s.switches() {
		host, _, _ := net.SplitHostPort(one.Address)
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return host
		}
	}
	return ""
}

// networks reads addresses and CIDRs that the rule "network" has seen.
func networks(list []string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range list {
		if p, err := network(text); err == nil {
			all = append(all, p)
		}
	}
	return all
}

// network reads a CIDR, or one address.
func network(text string) (netip.Prefix, error) {
	text = strings.TrimSpace(text)
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.Unmap().Prefix(addr.Unmap().BitLen())
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err
}
