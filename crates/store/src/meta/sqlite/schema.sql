-- Names of accounts, containers and objects are BLOB: compared by bytes, without
-- collations. Counters and instants are signed 64-bit; instants are in units of
-- 10 µs, columns that end in _s in seconds.

CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO setting (name, value) VALUES ('identity_epoch', 1);

CREATE TABLE account (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    name     BLOB NOT NULL UNIQUE,
    created  INTEGER NOT NULL,
    metadata TEXT NOT NULL,
    container_count INTEGER NOT NULL DEFAULT 0 CHECK (container_count >= 0),
    object_count    INTEGER NOT NULL DEFAULT 0 CHECK (object_count >= 0),
    bytes_used      INTEGER NOT NULL DEFAULT 0 CHECK (bytes_used >= 0)
) STRICT;

-- `last_put` is the instant of the last PUT of the container itself.
CREATE TABLE container (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id   INTEGER NOT NULL REFERENCES account (id),
    name         BLOB NOT NULL,
    created      INTEGER NOT NULL,
    object_count INTEGER NOT NULL DEFAULT 0 CHECK (object_count >= 0),
    bytes_used   INTEGER NOT NULL DEFAULT 0 CHECK (bytes_used >= 0),
    metadata     TEXT NOT NULL,
    last_put     INTEGER NOT NULL DEFAULT 0,
    UNIQUE (account_id, name)
) STRICT;

-- The current version of each key. A body is in `inline_blob` or, where `blob`
-- names one, in the blob store.
CREATE TABLE object (
    container_id INTEGER NOT NULL REFERENCES container (id),
    key          BLOB NOT NULL,
    version      INTEGER NOT NULL,
    timestamp    INTEGER NOT NULL,
    size         INTEGER NOT NULL,
    etag         BLOB NOT NULL,
    content_type TEXT NOT NULL,
    metadata     TEXT NOT NULL,
    blob         BLOB,
    footer_crc64 INTEGER,
    footer_bytes INTEGER,
    delete_at_s  INTEGER,
    PRIMARY KEY (container_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX object_expiry ON object (delete_at_s) WHERE delete_at_s IS NOT NULL;

CREATE UNIQUE INDEX object_version ON object (version);
CREATE UNIQUE INDEX object_blob ON object (blob) WHERE blob IS NOT NULL;

-- Apart from `object`, so that a page of a listing stays dense.
CREATE TABLE inline_blob (
    version INTEGER PRIMARY KEY,
    bytes   BLOB NOT NULL,
    crc64   INTEGER NOT NULL
) STRICT;

CREATE TABLE garbage (
    blob       BLOB PRIMARY KEY,
    not_before INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX garbage_due ON garbage (not_before);

-- What a write with an Idempotency-Key was answered: `id` is of its actor and key,
-- `request` of what it asked for. Without `timestamp` it was a deletion, without
-- `version` one that found nothing.
CREATE TABLE answered (
    id        BLOB PRIMARY KEY,
    request   BLOB NOT NULL,
    until_s   INTEGER NOT NULL,
    version   INTEGER,
    timestamp INTEGER,
    size      INTEGER,
    etag      BLOB,
    replaced  INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX answered_due ON answered (until_s);

CREATE TABLE application (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    name             TEXT NOT NULL UNIQUE,
    secret_hash      TEXT NOT NULL,
    enabled          INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    revoked_before_s INTEGER
) STRICT;

CREATE TABLE user (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id       INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name             TEXT NOT NULL,
    application_id   INTEGER NOT NULL REFERENCES application (id),
    secret_hash      TEXT NOT NULL,
    enabled          INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    revoked_before_s INTEGER,
    UNIQUE (account_id, name)
) STRICT;

CREATE INDEX user_application ON user (application_id);

CREATE TABLE user_group (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    UNIQUE (account_id, name)
) STRICT;

CREATE TABLE member (
    group_id INTEGER NOT NULL REFERENCES user_group (id) ON DELETE CASCADE,
    user_id  INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX member_user ON member (user_id);

-- Attached to exactly one thing, and gone with it.
CREATE TABLE policy (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    owner_id       INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name           TEXT NOT NULL,
    on_account     INTEGER REFERENCES account (id) ON DELETE CASCADE,
    on_container   INTEGER REFERENCES container (id) ON DELETE CASCADE,
    on_user        INTEGER REFERENCES user (id) ON DELETE CASCADE,
    on_group       INTEGER REFERENCES user_group (id) ON DELETE CASCADE,
    on_application INTEGER REFERENCES application (id) ON DELETE CASCADE,
    json           TEXT NOT NULL,
    UNIQUE (owner_id, name),
    CHECK ((on_account IS NOT NULL) + (on_container IS NOT NULL) + (on_user IS NOT NULL)
           + (on_group IS NOT NULL) + (on_application IS NOT NULL) = 1)
) STRICT;

CREATE INDEX policy_container ON policy (on_container) WHERE on_container IS NOT NULL;

CREATE TABLE ring_key (
    role           TEXT NOT NULL,
    id             TEXT NOT NULL,
    state          TEXT NOT NULL,
    public         BLOB NOT NULL,
    sealed         BLOB NOT NULL,
    created_s      INTEGER NOT NULL,
    active_from_s  INTEGER NOT NULL,
    verify_until_s INTEGER,
    PRIMARY KEY (role, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE revoked_salt (
    salt    BLOB PRIMARY KEY,
    until_s INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row for each administrative change; kept for ever.
CREATE TABLE audit (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    at     INTEGER NOT NULL,
    who    TEXT NOT NULL,
    source TEXT NOT NULL,
    what   TEXT NOT NULL
) STRICT;
