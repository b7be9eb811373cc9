"""Leaves a database as an original Faxbot does, and prints the token of its key.

The tables are as SQLAlchemy makes them from its models, the key's hash as its
own code makes it: hashlib.scrypt, URL-safe base64 without padding.
"""
import base64, hashlib, os, secrets, sqlite3, sys

db = sqlite3.connect(sys.argv[1])
db.executescript("""
CREATE TABLE fax_jobs (
	id VARCHAR(40) NOT NULL,
	to_number VARCHAR(64) NOT NULL,
	file_name VARCHAR(255) NOT NULL,
	tiff_path VARCHAR(512) NOT NULL,
	status VARCHAR(32) NOT NULL,
	error TEXT,
	pages INTEGER,
	backend VARCHAR(20) NOT NULL,
	provider_sid VARCHAR(100),
	pdf_url VARCHAR(512),
	pdf_token VARCHAR(128),
	pdf_token_expires_at DATETIME,
	created_at DATETIME NOT NULL,
	updated_at DATETIME NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX ix_fax_jobs_to_number ON fax_jobs (to_number);
CREATE INDEX ix_fax_jobs_id ON fax_jobs (id);
CREATE INDEX ix_fax_jobs_status ON fax_jobs (status);
CREATE TABLE api_keys (
	id VARCHAR(40) NOT NULL,
	key_id VARCHAR(32) NOT NULL,
	key_hash VARCHAR(200) NOT NULL,
	name VARCHAR(100),
	owner VARCHAR(100),
	scopes VARCHAR(200),
	created_at DATETIME NOT NULL,
	last_used_at DATETIME,
	expires_at DATETIME,
	revoked_at DATETIME,
	note TEXT,
	PRIMARY KEY (id)
);
CREATE UNIQUE INDEX ix_api_keys_key_id ON api_keys (key_id);
CREATE INDEX ix_api_keys_id ON api_keys (id);
""")
for n, status in enumerate(["SUCCESS", "FAILED", "in_progress"], 1):
    db.execute(
        "INSERT INTO fax_jobs VALUES (?, ?, 'letter.pdf', '/faxdata/letter.tiff', ?, NULL, 2, 'freeswitch', NULL, NULL, NULL, NULL,"
        " '2025-09-01 10:00:00.000000', '2025-09-01 10:05:00.000000')",
        (str(n) * 32, "+1555123000%d" % n, status),
    )

b64 = lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("=")
secret, salt = secrets.token_urlsafe(32), os.urandom(16)
key = hashlib.scrypt(secret.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)
db.execute(
    "INSERT INTO api_keys VALUES (?, 'a1b2c3d4e5f6', ?, 'Ward 3', NULL, 'fax:send,fax:read', '2025-08-01 10:00:00.000000', NULL, NULL, NULL, NULL)",
    (secrets.token_hex(16), "scrypt$%s$%s$n=16384$r=8$p=1" % (b64(salt), b64(key))),
)
db.commit()
print("fbk_live_a1b2c3d4e5f6_" + secret, end="")
