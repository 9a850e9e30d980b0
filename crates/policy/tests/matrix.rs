//! Who may do what, in one table that a person reviews: `matrix.txt`.
//!
//! A change of semantics shows as a change of that file. `REPONO_BLESS=1` writes
//! it anew; the difference is then reviewed like code.
#![expect(clippy::expect_used, clippy::panic, reason = "a test")]

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::str::FromStr;

use repono_core::name::{AccountName, ContainerName, ObjectKey};
use repono_policy::{
    AccountAcl, Action, Actor, Attachment, ContainerAcl, Context, Document, PolicySet, Reason, Request,
    Resource, Right, Scope, Transport, UserIdentity,
};

/// The access lists of Swift: container, right, list.
const LISTS: [(&str, Right, &str); 4] = [
    ("open", Right::Read, ".r:*,.r:-.thief.com"),
    ("listed", Right::Read, ".r:.friend.com,.rlistings"),
    ("lent", Right::Read, "partner,demo:carol"),
    ("lent", Right::Write, "other:carol"),
];

/// The access lists as policies. The account `tenant` has a list of its own.
fn lists() -> Vec<(AccountName, Attachment, Document)> {
    let compiled = |place: Attachment, policy: Option<String>| {
        let document = Document::parse(&policy.expect("it grants"), place.kind()).expect("a policy");
        (text(if matches!(place, Attachment::Account(_)) { "tenant" } else { "demo" }), place, document)
    };
    let account =
        AccountAcl::parse(r#"{"admin":["partner:pat"],"read-write":["other"],"read-only":["demo:carol"]}"#)
            .expect("a list");
    let mut all = vec![compiled(Attachment::Account(text("tenant")), account.policy().expect("short"))];
    for (container, right, list) in LISTS {
        let policy = ContainerAcl::parse(list, right).expect("a list").policy().expect("short");
        all.push(compiled(Attachment::Container(text("demo"), text(container)), policy));
    }
    all
}

/// The policies: keeper, place, statements.
fn world() -> Vec<(&'static str, Attachment, &'static str)> {
    let container = |account: &str, name: &str| Attachment::Container(text(account), text(name));
    vec![
        (
            "demo",
            Attachment::User(1),
            r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"},
               {"Effect":"Allow","Action":"repono:*","Resource":"*"}"#,
        ),
        ("demo", Attachment::User(14), r#"{"Effect":"Allow","Action":"repono:ViewMonitor","Resource":"*"}"#),
        (
            "demo",
            Attachment::User(2),
            r#"{"Effect":"Allow","Action":["s3:GetObject","s3:List*"],"Resource":["arn:aws:s3:::files","arn:aws:s3:::files/*"]}"#,
        ),
        (
            "demo",
            Attachment::User(3),
            r#"{"Effect":"Allow","Action":["s3:PutObject","s3:DeleteObject"],"Resource":"arn:aws:s3:::files/*"}"#,
        ),
        (
            "demo",
            Attachment::User(4),
            r#"{"Effect":"Allow","Action":"s3:*Object","Resource":"arn:aws:s3:::files/home/${aws:username}/*"},
               {"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::files",
                "Condition":{"StringLike":{"s3:prefix":"home/${aws:username}/*"}}}"#,
        ),
        (
            "demo",
            Attachment::Group(50),
            r#"{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::files/*"}"#,
        ),
        ("demo", Attachment::Application(71), r#"{"Effect":"Deny","Action":"*","Resource":"*"}"#),
        (
            "demo",
            Attachment::User(8),
            r#"{"Effect":"Allow","Action":"*","Resource":"*"},
               {"Effect":"Deny","NotAction":"s3:GetObject","Resource":"*"},
               {"Effect":"Deny","Action":"*","Resource":"arn:aws:s3:::vault*"}"#,
        ),
        (
            "demo",
            container("demo", "public"),
            r#"{"Effect":"Allow","Principal":"*","Action":["s3:GetObject","s3:ListBucket"],"Resource":"*"}"#,
        ),
        (
            "demo",
            container("demo", "shared"),
            r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::partner:root"},"Action":"s3:*","Resource":"*"},
               {"Effect":"Deny","Principal":"*","Action":"s3:Delete*","Resource":"*"}"#,
        ),
        (
            "demo",
            container("demo", "vault"),
            r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::other:user/carol"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::vault/for-carol/*"},
               {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::demo:group/auditors"},"Action":["s3:GetObject","s3:ListBucket"],"Resource":"*"}"#,
        ),
        (
            "demo",
            Attachment::Account(text("demo")),
            r#"{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":false}}},
               {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::demo:root"},"Action":"s3:ListAllMyBuckets","Resource":"*"}"#,
        ),
        // Kept by another account: grants nothing in demo.
        (
            "other",
            Attachment::User(9),
            r#"{"Effect":"Allow","Action":"*","Resource":["*","arn:aws:s3::demo:*"]}"#,
        ),
        // Partner holds one of its own users back, wherever he goes.
        ("partner", Attachment::User(12), r#"{"Effect":"Deny","Action":"s3:Put*","Resource":"*"}"#),
    ]
}

fn actors() -> Vec<(&'static str, Option<UserIdentity>)> {
    let member = |user: UserIdentity, id: u32, group: &str| {
        Some(UserIdentity { groups: vec![id], group_names: vec![group.to_owned()], ..user })
    };
    let other_application =
        UserIdentity { application: text("old-app"), application_id: 71, ..user(1, "demo", "owner") };
    vec![
        ("anonymous", None),
        ("owner (admin)", Some(user(1, "demo", "owner"))),
        ("owner by banned application", Some(other_application)),
        ("reader", Some(user(2, "demo", "reader"))),
        ("writer", Some(user(3, "demo", "writer"))),
        ("alice (own prefix)", Some(user(4, "demo", "alice"))),
        ("group member", member(user(5, "demo", "bob"), 50, "staff")),
        ("auditor (named group)", member(user(6, "demo", "ann"), 51, "auditors")),
        ("foreign group of that name", member(user(10, "other", "ann"), 52, "auditors")),
        ("no policy of his own", Some(user(7, "demo", "nobody"))),
        ("denied but for reading", Some(user(8, "demo", "mallory"))),
        ("carol of other (granted)", Some(user(9, "other", "carol"))),
        ("carol of demo (same name)", Some(user(13, "demo", "carol"))),
        ("partner (root granted)", Some(user(11, "partner", "pat"))),
        ("partner held back at home", Some(user(12, "partner", "paul"))),
        ("watcher (monitor alone)", Some(user(14, "demo", "wendy"))),
        ("anonymous from a friend", None),
        ("anonymous from a thief", None),
    ]
}

fn user(id: u32, account: &str, name: &str) -> UserIdentity {
    UserIdentity {
        id,
        account: text(account),
        user: text(name),
        application: text("app"),
        application_id: 70,
        groups: Vec::new(),
        group_names: Vec::new(),
    }
}

/// Paths, as `account/container/key`, with the prefix of a listing; `account!` is the
/// monitor, decided by that account's policies.
const PATHS: [(&str, Option<&str>); 29] = [
    ("demo!", None),
    ("tenant!", None),
    ("partner!", None),
    ("demo", None),
    ("other", None),
    ("demo/files", None),
    ("demo/files", Some("home/alice/")),
    ("demo/files", Some("home/bob/")),
    ("demo/public", None),
    ("demo/shared", None),
    ("demo/vault", None),
    ("other/files", None),
    ("demo/files/a.txt", None),
    ("demo/files/home/alice/x", None),
    ("demo/files/home/bob/x", None),
    ("demo/public/a.txt", None),
    ("demo/shared/a.txt", None),
    ("demo/vault/for-carol/x", None),
    ("demo/vault/secret", None),
    ("other/files/a.txt", None),
    ("tenant", None),
    ("tenant/files", None),
    ("tenant/files/a.txt", None),
    ("demo/open", None),
    ("demo/listed", None),
    ("demo/lent", None),
    ("demo/open/a.txt", None),
    ("demo/listed/a.txt", None),
    ("demo/lent/a.txt", None),
];

const LEGEND: &str = "\
Who may do what in the world of matrix.rs. Reviewed by people; written by
REPONO_BLESS=1 cargo test -p repono-policy --test matrix

Columns are actions. A mark says that the decision is
  yes   allowed by a statement
  no    refused: no statement allows it
  DENY  refused: a statement denies it
";

/// The actions on one kind of resource, with their column heads.
const COLUMNS: [(Scope, &str); 4] = [
    (Scope::Account, "accounts"),
    (Scope::Container, "containers"),
    (Scope::Object, "objects"),
    (Scope::Monitor, "the monitor, by the policies of an account"),
];

#[test]
fn matrix() {
    let found = table();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/matrix.txt");
    if std::env::var_os("REPONO_BLESS").is_some() {
        std::fs::write(&file, &found).expect("matrix.txt is writable");
    }
    let reviewed = std::fs::read_to_string(&file).expect("matrix.txt");
    let changed = found.lines().zip(reviewed.lines()).find(|(new, old)| new != old);
    assert!(
        found == reviewed,
        "decisions differ from the reviewed matrix, first here:\n  was {}\n  is  {}",
        changed.map_or("(another length)", |(_, old)| old),
        changed.map_or("(another length)", |(new, _)| new),
    );
}

fn table() -> String {
    let written = world().into_iter().map(|(keeper, place, statements)| {
        let json = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        let document = Document::parse(&json, place.kind()).unwrap_or_else(|error| panic!("{error}\n{json}"));
        (text(keeper), place, document)
    });
    let policies = PolicySet::build(written.chain(lists()));
    assert!(policies.misplaced().is_empty());
    let mut out = LEGEND.to_owned();
    for (scope, title) in COLUMNS {
        let actions: Vec<_> = Action::ALL.into_iter().filter(|a| a.scope() == scope).collect();
        line(&mut out, format_args!("\n== {title}"));
        for (path, prefix) in PATHS.iter().filter(|(path, _)| scope_of(path) == scope) {
            let listing = prefix.map_or(String::new(), |p| format!("?prefix={p}"));
            let heads = actions.iter().map(|a| format!("{:<20}", a.as_str().trim_start_matches("s3:")));
            line(&mut out, format_args!("\n{:<32}{}", format!("{path}{listing}"), heads.collect::<String>()));
            for (title, actor) in actors() {
                let actor = actor.as_ref().map_or(Actor::Anyone, Actor::User);
                let marks = actions
                    .iter()
                    .map(|a| format!("{:<20}", mark(&policies, actor, *a, path, (*prefix, referer(title)))));
                line(&mut out, format_args!("  {title:<30}{}", marks.collect::<String>()));
            }
        }
    }
    out
}

fn referer(actor: &str) -> Option<&'static [u8]> {
    match actor {
        "anonymous from a friend" => Some(b"https://www.Friend.com:8443/page"),
        "anonymous from a thief" => Some(b"http://www.friend.com@www.thief.com/.friend.com"),
        _others => None,
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    let mut whole = String::new();
    write!(whole, "{text}").expect("strings take everything");
    let before = whole.len() - whole.trim_start_matches('\n').len();
    out.push_str(&"\n".repeat(before));
    out.push_str(whole.trim_start_matches('\n').trim_end());
    out.push('\n');
}

fn scope_of(path: &str) -> Scope {
    match path.split('/').count() {
        1 if path.ends_with('!') => Scope::Monitor,
        1 => Scope::Account,
        2 => Scope::Container,
        _ => Scope::Object,
    }
}

fn mark(
    policies: &PolicySet,
    actor: Actor<'_>,
    action: Action,
    path: &str,
    (prefix, referer): (Option<&str>, Option<&'static [u8]>),
) -> &'static str {
    let (path, monitor) = path.strip_suffix('!').map_or((path, false), |path| (path, true));
    let mut parts = path.splitn(3, '/');
    let account: AccountName = text(parts.next().expect("an account"));
    let container: Option<ContainerName> = parts.next().map(text);
    let key: Option<ObjectKey> = parts.next().map(text);
    let resource = match (&container, &key) {
        (None, _) if monitor => Resource::Monitor { account: &account },
        (None, _) => Resource::Account { account: &account },
        (Some(container), None) => Resource::Container { account: &account, container },
        (Some(container), Some(key)) => Resource::Object { account: &account, container, key },
    };
    let context = Context {
        source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        now_s: 1_700_000_000,
        transport: Transport::Tls,
        prefix,
        delimiter: None,
        max_keys: None,
        user_agent: None,
        referer,
    };
    match policies.authorize(&Request { actor, action, resource, context }) {
        Ok(permit) => {
            assert_eq!((permit.action(), permit.account()), (action, &account));
            assert_eq!((permit.container(), permit.key()), (container.as_ref(), key.as_ref()));
            "yes"
        }
        Err(refused) => match refused.reason {
            Reason::NoStatementAllows => "no",
            Reason::DeniedBy => "DENY",
            Reason::ActionDoesNotFit => panic!("{action:?} on {path}"),
        },
    }
}

fn text<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a name")
}
