//! Server-side copies: what is refused on either side, and what a copy is.

use anyhow::{Result, ensure};
use repono_testkit::wire::Response;
use serde_json::json;

use crate::attack::{Ask, MARKER};
use crate::stage::{KNOWN, KNOWN_BLOB, SECRET, Stage, content, on_stage};

const VAULT: &str = "X-Copy-From-Account: globex";

#[test]
fn copies_that_are_refused() {
    on_stage(2, |stage| {
        let fresh = format!("/v1/demo/files/{MARKER}");
        let to_fresh = format!("Destination: /files/{MARKER}");
        let put =
            |from: &str| Ask::new("PUT", &fresh).ticket(&stage.owner).line(format!("X-Copy-From: {from}"));
        let copy = |source: &str| Ask::new("COPY", source).ticket(&stage.owner);
        let drop_box = stage.vend(&stage.owner_login, &json!({ "scope": format!("m=PUT;p={fresh}") }))?;
        let scoped = Ask::new("PUT", &fresh).ticket(&drop_box).line("X-Copy-From: /files/known").body("");
        let reader = stage.vend(&stage.owner_login, &json!({ "scope": "m=GET,COPY;p=/v1/demo/files/" }))?;
        stage.repel(&[
            put("/files/known").line(VAULT).body("").keeps(
                "an absent object of another tenant",
                403,
                "AccessDenied",
            ),
            put("/vault/secret").line(VAULT).body("").keeps("another tenant's object", 403, "AccessDenied"),
            copy(KNOWN).line("Destination: /vault/stolen").line("Destination-Account: globex").keeps(
                "into another tenant's container",
                403,
                "AccessDenied",
            ),
            copy(SECRET).line(&to_fresh).line("Destination-Account: demo").keeps(
                "out of another tenant's container",
                403,
                "AccessDenied",
            ),
            Ask::new("COPY", KNOWN).ticket(&stage.guest).line(&to_fresh).keeps(
                "by a user without a policy",
                403,
                "AccessDenied",
            ),
            Ask::new("COPY", KNOWN).line(&to_fresh).keeps("by anyone", 401, "Unauthorized"),
            scoped.keeps("from beyond the ticket's scope", 403, "AccessDenied"),
            Ask::new("COPY", KNOWN).ticket(&reader).line(&to_fresh).keeps(
                "to where the ticket's scope only reads",
                403,
                "AccessDenied",
            ),
            copy(KNOWN).keeps("no destination", 412, "BadCopyHeader"),
            copy(KNOWN).line("Destination: /files").keeps("a container alone", 412, "BadCopyHeader"),
            copy(KNOWN).line(&to_fresh).line("Destination-Account: a/b").keeps(
                "an account with a slash",
                412,
                "BadCopyHeader",
            ),
            put("/../globex/vault/secret").body("").keeps("a way out of the account", 400, "InvalidKey"),
            put("/files%2f..%2f..%2fglobex/secret").body("").keeps("the same, escaped", 400, "InvalidKey"),
            put("/files/known").body(MARKER).keeps("a body", 400, "InvalidRequest"),
            copy(KNOWN).line(&to_fresh).chunked(MARKER).closes("a chunked body", 400, "InvalidRequest"),
            put("/files/absent").body("").keeps("no source", 404, "NoSuchKey"),
            put("/absent/known").body("").keeps("no container of the source", 404, "NoSuchContainer"),
            copy(KNOWN).line("Destination: /absent/x").keeps("no container", 404, "NoSuchContainer"),
            copy(KNOWN).line(&to_fresh).line("If-Match: \"0\"").keeps(
                "another source",
                412,
                "PreconditionFailed",
            ),
            put("/files/absent").line("If-Match: *").body("").keeps("any source", 412, "PreconditionFailed"),
            copy(KNOWN).line(&to_fresh).line("Range: bytes=9999-").keeps(
                "behind the end",
                416,
                "InvalidRange",
            ),
            copy(KNOWN).line(&to_fresh).line("Range: bytes=0-1,4-5").keeps(
                "two ranges",
                501,
                "NotImplemented",
            ),
            copy(KNOWN).line(&to_fresh).line("X-Symlink-Target: files/known").keeps(
                "a feature that is not served",
                501,
                "NotImplemented",
            ),
        ])
    });
}

#[test]
fn what_a_copy_is() {
    on_stage(1, |stage| {
        for (source, bytes) in [(KNOWN, 1000), (KNOWN_BLOB, 40_000)] {
            both_forms(stage, source, bytes)?;
            parts_and_conditions(stage, source, bytes)?;
        }
        Ok(())
    });
}

/// Both forms of a whole copy, and that it outlives its source.
fn both_forms(stage: &Stage, source: &str, bytes: usize) -> Result<()> {
    let owned = |method, target: &str| Ask::new(method, target).ticket(&stage.owner);
    let original = owned("PUT", "/v1/demo/files/original").line("Content-Type: text/x-one");
    let metadata =
        original.line("X-Object-Meta-A: old").line("X-Object-Meta-B: old").line("Cache-Control: private");
    stage.once(&metadata.body(content(bytes)), 201)?;
    let copied = stage.once(
        &owned("COPY", "/v1/demo/files/original")
            .line("Destination: files/copy%20one")
            .line("X-Object-Meta-B: new")
            .line("X-Trans-Id-Extra: job 7"),
        201,
    )?;
    let id = copied.header("x-trans-id").unwrap_or_default();
    ensure!(id.ends_with("-job%207"), "{id} lacks what was to be added");
    is(&copied, "x-openstack-request-id", id)?;
    is(&copied, "x-copied-from", "files/original")?;
    is(&copied, "x-copied-from-account", "demo")?;
    ensure!(copied.header("x-copied-from-last-modified").is_some(), "no date of the source");
    stage.once(&owned("DELETE", "/v1/demo/files/original"), 204)?;
    let read = stage.once(&owned("GET", "/v1/demo/files/copy%20one"), 200)?;
    ensure!(read.body == content(bytes), "{source}: other bytes");
    is(&read, "etag", copied.header("etag").unwrap_or_default())?;
    for (name, value) in
        [("x-object-meta-a", "old"), ("x-object-meta-b", "new"), ("content-type", "text/x-one")]
    {
        is(&read, name, value)?;
    }
    let fresh = owned("PUT", "/v1/demo/files/fresh").line("X-Copy-From: /files/copy%20one");
    let fresh =
        fresh.line("X-Copy-From-Account: demo").line("X-Fresh-Metadata: yes").line("X-Object-Meta-C: 1");
    stage.once(&fresh.body(""), 201)?;
    let read = stage.once(&owned("GET", "/v1/demo/files/fresh"), 200)?;
    ensure!(read.body == content(bytes) && read.header("x-object-meta-a").is_none(), "{source}: not fresh");
    is(&read, "x-object-meta-c", "1")?;
    is(&read, "content-type", "text/x-one")
}

/// Range and conditions are those of the source.
fn parts_and_conditions(stage: &Stage, source: &str, bytes: usize) -> Result<()> {
    let copy = Ask::new("COPY", source).ticket(&stage.owner).line("Destination: /files/part");
    let etag = stage.once(&Ask::new("GET", source).ticket(&stage.owner), 200)?;
    let etag = etag.header("etag").unwrap_or_default().to_owned();
    stage.once(&copy.clone().line(format!("If-None-Match: {etag}")), 304)?;
    stage.once(&copy.line(format!("If-Match: {etag}")).line("Range: bytes=-300"), 201)?;
    let part = stage.once(&Ask::new("GET", "/v1/demo/files/part").ticket(&stage.owner), 200)?;
    ensure!(content(bytes).ends_with(&part.body) && part.body.len() == 300, "{source}: another part");
    Ok(())
}

fn is(response: &Response, name: &str, value: &str) -> Result<()> {
    let found = response.header(name);
    ensure!(found == Some(value), "{name}: {found:?} instead of {value}");
    Ok(())
}

#[test]
fn copies_do_not_gather_metadata_beyond_the_limits() {
    on_stage(1, |stage| {
        let named = |mut ask: Ask, from: usize, count: usize| {
            for n in from..from + count {
                ask = ask.line(format!("X-Object-Meta-N{n:02}: v"));
            }
            ask
        };
        let put = Ask::new("PUT", "/v1/demo/files/sixty").ticket(&stage.owner).body("");
        stage.once(&named(put, 0, 60), 201)?;
        let copy = Ask::new("COPY", "/v1/demo/files/sixty").ticket(&stage.owner);
        let copy = copy.line("Destination: /files/more.png").line("X-Detect-Content-Type: true");
        let refused = stage.once(&named(copy.clone(), 60, 31), 400)?;
        ensure!(refused.text().contains("MetadataTooLarge"), "{}", refused.text());
        stage.once(&named(copy, 60, 30), 201)?;
        let head = stage.once(&Ask::new("HEAD", "/v1/demo/files/more.png").ticket(&stage.owner), 200)?;
        is(&head, "x-object-meta-n89", "v")?;
        is(&head, "content-type", "image/png")
    });
}
