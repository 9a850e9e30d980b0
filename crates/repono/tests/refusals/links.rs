//! Pre-authorized URIs: one answer for every fault.

use anyhow::{Context, Result, ensure};
use repono_testkit::wire::Response;

use crate::attack::{Ask, Attack, MARKER};
use crate::stage::{KNOWN, on_stage};
use crate::ticket::flipped;

/// A link, taken apart: `/{account}/{handle}/{file name}?token=PREA_{token}`.
struct Link {
    handle: String,
    file_name: String,
    token: String,
}

impl Link {
    fn of(uri: &str) -> Result<Self> {
        let (path, token) = uri.split_once("?token=PREA_").context("no token")?;
        let mut parts = path.split('/').skip(2).map(str::to_owned);
        let (handle, file_name) = (parts.next().context("no handle")?, parts.next().context("no name")?);
        ensure!(handle.len() == 56 && token.len() == 56, "another form: {uri}");
        Ok(Self { handle, file_name, token: token.to_owned() })
    }

    fn uri(&self) -> String {
        self.parts("demo", &self.handle, &self.file_name, &self.token)
    }

    fn parts(&self, account: &str, handle: &str, file_name: &str, token: &str) -> String {
        format!("/{account}/{handle}/{file_name}?token=PREA_{token}")
    }

    fn with_handle(&self, at: usize) -> String {
        self.parts("demo", &flipped(&self.handle, at), &self.file_name, &self.token)
    }

    fn with_token(&self, token: &str) -> String {
        self.parts("demo", &self.handle, &self.file_name, token)
    }
}

/// Each spelling that is not exactly the link.
fn misspelt(link: &Link) -> Vec<(String, String)> {
    let uri = link.uri();
    let (path, query) = uri.split_once('?').unwrap_or_default();
    let (handle, name, token) = (&link.handle, &link.file_name, &link.token);
    let mut spellings = vec![
        ("another file name", link.parts("demo", handle, MARKER, token)),
        ("no file name", link.parts("demo", handle, "", token)),
        ("another account", link.parts("globex", handle, name, token)),
        ("an account that cannot be", link.parts("..", handle, name, token)),
        ("a traversal behind the name", link.parts("demo", handle, &format!("{name}%2f..%2fsecret"), token)),
        ("a handle in capitals", link.parts("demo", &handle.to_uppercase(), name, token)),
        ("a token in capitals", link.with_token(&token.to_uppercase())),
        ("a short token", link.with_token(&token[..54])),
        ("a long token", link.with_token(&format!("{token}00"))),
        ("no token", link.with_token("")),
        ("a marker for a token", link.with_token(MARKER)),
        ("zeros for a token", link.with_token(&"0".repeat(56))),
        ("a handle of zeros", link.parts("demo", &"0".repeat(56), name, token)),
        ("a token without its mark", format!("{path}?token={token}")),
        ("a parameter behind", format!("{uri}&x={MARKER}")),
        ("a parameter before", format!("{path}?x={MARKER}&{query}")),
        ("the token twice", format!("{uri}&{query}")),
        ("a second token", format!("{uri}&token=")),
        ("an ampersand behind", format!("{uri}&")),
        ("an escaped token", format!("{path}?token=%50REA_{token}")),
        ("no path of a link", format!("/demo/files/known?{query}")),
        ("the root", format!("/?{query}")),
    ];
    // Key id, expiry, flags, user, application, version, salt: each claim once.
    let claims = [("version", 1), ("key id", 3), ("expiry", 5), ("flags", 13), ("user", 21)];
    let more = [("application", 29), ("object", 40), ("salt", 50)];
    for (name, at) in claims.into_iter().chain(more) {
        spellings.push((name, link.with_handle(at)));
    }
    for at in [0, 27, 55] {
        spellings.push(("another token", link.with_token(&flipped(token, at))));
    }
    spellings.into_iter().map(|(name, uri)| (name.to_owned(), uri)).collect()
}

#[test]
fn links_that_do_not_hold() {
    on_stage(2, |stage| {
        let link = Link::of(&stage.link(KNOWN, &stage.owner)?)?;
        let uri = link.uri();
        stage.once(&Ask::new("GET", &uri), 200)?;

        let mut attacks = Vec::new();
        for (name, uri) in misspelt(&link) {
            attacks.push(Ask::new("GET", &uri).keeps(format!("GET with {name}"), 403, "AccessDenied"));
            attacks.push(Ask::new("HEAD", &uri).keeps(format!("HEAD with {name}"), 403, "AccessDenied"));
        }
        for method in ["PUT", "POST", "DELETE", "COPY", "OPTIONS"] {
            let ask = Ask::new(method, &uri).body(MARKER);
            attacks.push(ask.keeps(format!("{method} of a link"), 403, "AccessDenied"));
        }
        let ambiguous = |name: &str, ask: Ask| ask.keeps(name, 400, "AmbiguousCredentials");
        attacks.extend([
            ambiguous("a link with the ticket", Ask::new("GET", &uri).ticket(&stage.owner)),
            ambiguous("a link with another's ticket", Ask::new("GET", &uri).ticket(&stage.mallory)),
            ambiguous("a link with part of a ticket", Ask::new("GET", &uri).line("X-Auth-User: demo:demo")),
            ambiguous("a link with a token", Ask::new("GET", &uri).line("X-Auth-Token: x")),
            ambiguous("a link with X-Storage-Token", Ask::new("GET", &uri).line("X-Storage-Token: x")),
            ambiguous("a link with Authorization", Ask::new("GET", &uri).line("Authorization: AWS4 x")),
            Ask::new("GET", &uri).line("Range: bytes=1000-").keeps(
                "a range beyond a link",
                416,
                "InvalidRange",
            ),
            // The token is worth nothing on the native interface.
            Ask::new("GET", format!("{KNOWN}?token=PREA_{}", link.token)).keeps(
                "a token on v1",
                401,
                "Unauthorized",
            ),
        ]);
        stage.repel(&attacks)?;
        stage.once(&Ask::new("GET", &uri), 200).map(drop)
    });
}

#[test]
fn links_to_what_is_no_longer_there() {
    on_stage(2, |stage| {
        let mut attacks: Vec<Attack> = Vec::new();
        for (size, kind) in [(100, "small"), (50_000, "large")] {
            let target = format!("/v1/demo/files/{kind}.bin");
            let body = vec![b'1'; size];
            stage.put(&target, &body)?;
            let first = stage.link(&target, &stage.owner)?;
            assert_eq!(stage.once(&Ask::new("GET", &first), 200)?.body, body);

            // The same bytes again are another version all the same.
            stage.put(&target, &body)?;
            attacks.push(Ask::new("GET", &first).keeps(
                format!("a {kind} version replaced"),
                403,
                "AccessDenied",
            ));
            let second = stage.link(&target, &stage.owner)?;
            stage.once(&Ask::new("GET", &second), 200)?;

            let gone = format!("/v1/demo/files/{kind}-gone.bin");
            stage.put(&gone, &body)?;
            let link = stage.link(&gone, &stage.owner)?;
            stage.once(&Ask::new("DELETE", &gone).ticket(&stage.owner), 204)?;
            attacks.push(Ask::new("GET", &link).keeps(
                format!("a {kind} object deleted"),
                403,
                "AccessDenied",
            ));
            stage.put(&gone, &body)?;
            attacks.push(Ask::new("HEAD", &link).keeps(
                format!("a {kind} object made anew"),
                403,
                "AccessDenied",
            ));
        }
        stage.repel(&attacks)
    });
}

#[test]
fn links_are_only_made_for_those_who_may_read() {
    on_stage(2, |stage| {
        let without_link = |response: Response| response.header("x-preauth-uri").is_none();
        let guest = stage.fetch(stage.system.balancer(), &Ask::new("HEAD", KNOWN).ticket(&stage.guest))?;
        assert!(guest.status == 403 && without_link(guest), "a link for a guest");
        let scope = serde_json::json!({"scope": "ip=127.0.0.0/8"});
        let bound = stage.vend(&stage.owner_login, &scope)?;
        let narrowed = stage.once(&Ask::new("HEAD", KNOWN).ticket(&bound), 200)?;
        assert!(without_link(narrowed), "a link that would leave the ticket's network");
        let link = stage.link(KNOWN, &stage.owner)?;
        let by_link = stage.once(&Ask::new("HEAD", link), 200)?;
        assert!(without_link(by_link), "a link that begets links");
        Ok(())
    });
}
