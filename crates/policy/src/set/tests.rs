use crate::action::Action;
use crate::decision::Reason;
use crate::document::{Document, DocumentKind};
use crate::fixture::{alice, ask, context, document, eve, name, set};
use crate::request::{Actor, Request, Resource};
use crate::set::{Attachment, PolicySet};

mod properties;

const ALLOW_ALL: &str = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
const DENY_ALL: &str = r#"{"Sid":"stop","Effect":"Deny","Action":"*","Resource":"*"}"#;

fn on_files() -> Attachment {
    Attachment::Container(name("demo"), name("files"))
}

fn on_demo() -> Attachment {
    Attachment::Account(name("demo"))
}

fn reason(set: &PolicySet, actor: Actor<'_>, action: Action, path: &str) -> Option<Reason> {
    ask(set, actor, action, path).err().map(|refused| refused.reason)
}

fn principal(effect: &str, principal: &str) -> String {
    format!(r#"{{"Effect":"{effect}","Principal":{principal},"Action":"*","Resource":"*"}}"#)
}

#[test]
fn nothing_is_allowed_by_nothing_nor_by_a_deny() {
    let alice = alice();
    for set in [
        PolicySet::default(),
        set(&[("demo", Attachment::User(1), r#"{"Effect":"Deny","Action":"s3:PutObject","Resource":"*"}"#)]),
        set(&[("demo", Attachment::User(99), ALLOW_ALL)]),
        set(&[("demo", on_files(), &principal("Deny", r#"{"AWS":"arn:aws:iam::demo:user/bob"}"#))]),
    ] {
        for actor in [Actor::Anyone, Actor::User(&alice)] {
            let found = reason(&set, actor, Action::GetObject, "demo/files/a");
            assert_eq!(found, Some(Reason::NoStatementAllows));
        }
    }
}

#[test]
fn a_deny_wins_wherever_it_stands() {
    let alice = alice();
    let allow = ("demo", Attachment::User(1), ALLOW_ALL);
    let deny_anyone = principal("Deny", r#"{"AWS":"arn:aws:iam::demo:user/alice"}"#);
    for deny in [
        ("demo", Attachment::User(1), DENY_ALL),
        ("demo", Attachment::Group(3), DENY_ALL),
        ("demo", Attachment::Application(5), DENY_ALL),
        ("demo", on_demo(), deny_anyone.as_str()),
        ("demo", on_files(), deny_anyone.as_str()),
    ] {
        for entries in [[allow.clone(), deny.clone()], [deny.clone(), allow.clone()]] {
            let found = reason(&set(&entries), Actor::User(&alice), Action::GetObject, "demo/files/a");
            assert_eq!(found, Some(Reason::DeniedBy), "{:?}", deny.1);
        }
    }
}

#[test]
fn an_identity_policy_grants_in_the_account_that_keeps_it_only() {
    let (alice, eve) = (alice(), eve());
    for resource in ["*", "arn:aws:s3:::*", "arn:aws:s3::other:*"] {
        let allow = format!(r#"{{"Effect":"Allow","Action":"*","Resource":"{resource}"}}"#);
        let set = set(&[("demo", Attachment::User(1), &allow)]);
        let found = reason(&set, Actor::User(&alice), Action::GetObject, "other/files/a");
        assert_eq!(found, Some(Reason::NoStatementAllows), "{resource}");
    }
    // Kept by the owner of the resource, for a user of another account.
    let set = set(&[("demo", Attachment::User(2), ALLOW_ALL)]);
    assert!(ask(&set, Actor::User(&eve), Action::GetObject, "demo/files/a").is_ok());
    assert!(ask(&set, Actor::User(&eve), Action::GetObject, "other/files/a").is_err());
}

#[test]
fn an_account_holds_its_own_users_back_everywhere_and_others_only_at_home() {
    let eve = eve();
    let granted = principal("Allow", r#"{"AWS":"arn:aws:iam::other:root"}"#);
    let with = |keeper: &'static str, deny: &str| {
        let set = set(&[("demo", on_files(), &granted), (keeper, Attachment::User(2), deny)]);
        reason(&set, Actor::User(&eve), Action::GetObject, "demo/files/a")
    };
    assert_eq!(with("other", DENY_ALL), Some(Reason::DeniedBy));
    assert_eq!(with("third", DENY_ALL), None);
    let deny = |resource: &str| format!(r#"{{"Effect":"Deny","Action":"*",{resource}}}"#);
    assert_eq!(with("other", &deny(r#""Resource":"arn:aws:s3:::files/*""#)), None);
    assert_eq!(with("other", &deny(r#""Resource":"arn:aws:s3::demo:files/*""#)), Some(Reason::DeniedBy));
    assert_eq!(with("other", &deny(r#""NotResource":"arn:aws:s3:::*""#)), Some(Reason::DeniedBy));
}

#[test]
fn resource_policies_speak_for_their_principals() {
    let (alice, eve) = (alice(), eve());
    let cases: [(&str, [bool; 3]); 11] = [
        (r#""*""#, [true, true, true]),
        (r#"{"AWS":"*"}"#, [true, true, true]),
        (r#"{"AWS":"arn:aws:iam::demo:root"}"#, [false, true, false]),
        (r#"{"AWS":"arn:aws:iam::other:root"}"#, [false, false, true]),
        (r#"{"AWS":"arn:aws:iam::demo:user/alice"}"#, [false, true, false]),
        (r#"{"AWS":"arn:aws:iam::other:user/alice"}"#, [false, false, true]),
        (r#"{"AWS":"arn:aws:iam::demo:user/bob"}"#, [false, false, false]),
        (r#"{"AWS":"arn:aws:iam::demo:group/staff"}"#, [false, true, false]),
        (r#"{"AWS":"arn:aws:iam::demo:group/boss"}"#, [false, false, false]),
        (r#"{"AWS":"arn:aws:iam:::application/web"}"#, [false, false, true]),
        (r#"{"AWS":["arn:aws:iam:::application/app","arn:aws:iam::other:user/alice"]}"#, [false, true, true]),
    ];
    for (who, expected) in cases {
        for place in [on_demo(), on_files()] {
            let set = set(&[("demo", place, &principal("Allow", who))]);
            let actors = [Actor::Anyone, Actor::User(&alice), Actor::User(&eve)];
            let found = actors.map(|a| ask(&set, a, Action::GetObject, "demo/files/a").is_ok());
            assert_eq!(found, expected, "{who}");
        }
    }
}

#[test]
fn a_resource_policy_reaches_its_place_only() {
    let set = set(&[("demo", on_files(), &principal("Allow", r#""*""#))]);
    assert!(ask(&set, Actor::Anyone, Action::ListBucket, "demo/files").is_ok());
    assert!(ask(&set, Actor::Anyone, Action::GetObject, "demo/files/a").is_ok());
    for (action, path) in [
        (Action::ListAllMyBuckets, "demo"),
        (Action::GetObject, "demo/file/a"),
        (Action::GetObject, "demo/files2/a"),
        (Action::GetObject, "other/files/a"),
    ] {
        assert_eq!(reason(&set, Actor::Anyone, action, path), Some(Reason::NoStatementAllows), "{path}");
    }
}

#[test]
fn account_actions_match_everything_patterns_only() {
    let alice = alice();
    let cases = [
        ("*", true),
        ("arn:aws:s3:::*", true),
        ("arn:aws:s3::demo:*", true),
        ("arn:aws:s3:::?*", false),
        ("arn:aws:s3:::files*", false),
        ("arn:aws:s3:::*/*", false),
    ];
    for (resource, expected) in cases {
        let allow = format!(r#"{{"Effect":"Allow","Action":"*","Resource":"{resource}"}}"#);
        let set = set(&[("demo", Attachment::User(1), &allow)]);
        let found = ask(&set, Actor::User(&alice), Action::ListAllMyBuckets, "demo").is_ok();
        assert_eq!(found, expected, "{resource}");
    }
}

#[test]
fn resources_are_container_slash_key() {
    let alice = alice();
    let cases: [(&str, &[&str], &[&str]); 5] = [
        ("arn:aws:s3:::files", &[], &["files/a"]),
        ("arn:aws:s3:::files/*", &["files/a", "files/a/b", "files//a"], &["files2/a", "file/s/a"]),
        ("arn:aws:s3:::files/a", &["files/a"], &["files/a/", "files/ab", "files/A"]),
        ("arn:aws:s3:::home/${aws:username}/*", &["home/alice/x"], &["home/bob/x", "home/alice"]),
        ("arn:aws:s3:::*/public/*", &["files/public/a", "x/y/public/a"], &["files/private/a"]),
    ];
    for (resource, good, bad) in cases {
        let allow = format!(r#"{{"Effect":"Allow","Action":"s3:GetObject","Resource":"{resource}"}}"#);
        let set = set(&[("demo", Attachment::User(1), &allow)]);
        let may =
            |path: &str| ask(&set, Actor::User(&alice), Action::GetObject, &format!("demo/{path}")).is_ok();
        for path in good {
            assert!(may(path), "{resource} {path}");
        }
        for path in bad {
            assert!(!may(path), "{resource} {path}");
        }
    }
}

#[test]
fn not_action_and_not_resource_are_the_rest() {
    let alice = alice();
    let allow = r#"{"Effect":"Allow","NotAction":["s3:Delete*"],"NotResource":"arn:aws:s3:::secret*"}"#;
    let set = set(&[("demo", Attachment::User(1), allow)]);
    let may = |action, path: &str| ask(&set, Actor::User(&alice), action, path).is_ok();
    assert!(may(Action::GetObject, "demo/files/a"));
    assert!(may(Action::ListAllMyBuckets, "demo"));
    assert!(!may(Action::DeleteObject, "demo/files/a"));
    assert!(!may(Action::GetObject, "demo/secret/a"));
    assert!(!may(Action::GetObject, "other/files/a"));
}

#[test]
fn a_resource_variable_without_a_value_never_helps() {
    let with = |effect: &str, element: &str| {
        let statement = format!(
            r#"{{"Effect":"{effect}","Principal":"*","Action":"*","{element}":"arn:aws:s3:::home/${{aws:username}}/*"}}"#
        );
        let allow = principal("Allow", r#""*""#);
        let both = if effect == "Deny" { format!("{allow},{statement}") } else { statement };
        let set = set(&[("demo", on_demo(), &both)]);
        ask(&set, Actor::Anyone, Action::GetObject, "demo/home/x/a").is_ok()
    };
    assert!(!with("Allow", "Resource"));
    assert!(!with("Allow", "NotResource"));
    assert!(with("Deny", "Resource"));
    assert!(!with("Deny", "NotResource"));
}

#[test]
fn an_action_on_the_wrong_kind_of_resource_is_never_permitted() {
    let alice = alice();
    let set = set(&[("demo", Attachment::User(1), ALLOW_ALL)]);
    for action in Action::ALL {
        let paths = ["demo", "demo/files", "demo/files/a", "demo!"];
        let found = paths.map(|path| reason(&set, Actor::User(&alice), action, path));
        assert_eq!(found.iter().filter(|r| r.is_none()).count(), 1, "{action:?}");
        assert_eq!(found.iter().filter(|r| **r == Some(Reason::ActionDoesNotFit)).count(), 3, "{action:?}");
    }
}

#[test]
fn the_permit_names_what_was_checked_and_by_what() {
    let alice = alice();
    let statement = r#"{"Effect":"Deny","Action":"s3:PutObject","Resource":"*"},{"Sid":"Read all","Effect":"Allow","Action":"*","Resource":"*"}"#;
    let set = set(&[("demo", Attachment::Group(3), statement)]);
    let permit = ask(&set, Actor::User(&alice), Action::GetObject, "demo/files/a/b").expect("allowed");
    assert_eq!(permit.action(), Action::GetObject);
    assert_eq!(permit.account().as_str(), "demo");
    assert_eq!(permit.container().map(|c| c.as_str()), Some("files"));
    assert_eq!(permit.key().map(|k| k.as_str()), Some("a/b"));
    assert_eq!(permit.allowed_by(), r#"group 3, statement 2 "Read all""#);
    let permit = ask(&set, Actor::User(&alice), Action::ListAllMyBuckets, "demo").expect("allowed");
    assert_eq!((permit.container(), permit.key()), (None, None));
    let refused = ask(&set, Actor::User(&alice), Action::PutObject, "demo/files/a").expect_err("denied");
    assert_eq!(refused.statement.as_deref(), Some("group 3, statement 1"));
    assert_eq!(refused.to_string(), "a statement denies the action");
}

#[test]
fn audit_names_hold_the_document_and_the_place() {
    let json = format!(r#"{{"Version":"2012-10-17","Id":"Owner","Statement":{ALLOW_ALL}}}"#);
    let parsed = Document::parse(&json, DocumentKind::Identity).expect("valid");
    let set = PolicySet::build([(name("demo"), Attachment::User(1), parsed)]);
    let permit = ask(&set, Actor::User(&alice()), Action::GetObject, "demo/c/k").expect("allowed");
    assert_eq!(permit.allowed_by(), r#"user 1, document "Owner", statement 1"#);
    assert_eq!(on_files().to_string(), "container demo/files");
    assert_eq!(
        (on_demo().to_string(), Attachment::Application(2).to_string()),
        ("account demo".into(), "application 2".into())
    );
}

#[test]
fn a_misplaced_document_can_only_take_away() {
    let (alice, eve) = (alice(), eve());
    let owner = (name("demo"), Attachment::User(1), document(DocumentKind::Identity, ALLOW_ALL));
    let misplaced = |keeper: &str, at: Attachment, kind, text: &str| {
        PolicySet::build([owner.clone(), (name(keeper), at, document(kind, text))])
    };
    // Another account's policy, and an identity policy, on the container.
    let allow = principal("Allow", r#""*""#);
    let foreign = misplaced("other", on_files(), DocumentKind::Resource, &allow);
    assert_eq!(foreign.misplaced().len(), 1);
    assert!(foreign.misplaced()[0].contains("container demo/files, kept by account other"));
    assert!(ask(&foreign, Actor::User(&eve), Action::GetObject, "demo/files/a").is_err());
    assert!(ask(&foreign, Actor::User(&alice), Action::GetObject, "demo/files/a").is_ok());
    let identity = misplaced("demo", on_files(), DocumentKind::Identity, ALLOW_ALL);
    assert!(ask(&identity, Actor::User(&eve), Action::GetObject, "demo/files/a").is_err());
    for set in [
        misplaced("other", on_files(), DocumentKind::Resource, &principal("Deny", r#""*""#)),
        misplaced("demo", on_files(), DocumentKind::Identity, DENY_ALL),
        misplaced(
            "demo",
            Attachment::User(1),
            DocumentKind::Resource,
            &principal("Deny", r#"{"AWS":"arn:aws:iam::x:root"}"#),
        ),
    ] {
        let found = reason(&set, Actor::User(&alice), Action::GetObject, "demo/files/a");
        assert_eq!(found, Some(Reason::DeniedBy));
    }
}

#[test]
fn a_document_that_cannot_be_read_denies() {
    let alice = alice();
    let owner = (name("demo"), Attachment::User(1), document(DocumentKind::Identity, ALLOW_ALL));
    for at in [Attachment::User(1), Attachment::Group(3), Attachment::Application(5), on_demo(), on_files()] {
        let unreadable = (name("demo"), at.clone(), Document::unreadable(at.kind()));
        let set = PolicySet::build([owner.clone(), unreadable]);
        let refused = ask(&set, Actor::User(&alice), Action::GetObject, "demo/files/a").expect_err("denied");
        assert_eq!(refused.reason, Reason::DeniedBy);
        assert!(refused.statement.expect("named").contains("unreadable"));
        assert!(set.misplaced().is_empty());
    }
}

#[test]
fn the_longest_names_fit() {
    let (account, container, key) = (name(&"a".repeat(256)), name(&"c".repeat(256)), name(&"k".repeat(1024)));
    let mut user = alice();
    (user.account, user.user, user.id) = (name(&"a".repeat(256)), name(&"u".repeat(128)), u32::MAX);
    let allow = r#"{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::*/*k","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::a*:user/*u"},"StringEquals":{"aws:userid":"4294967295"}}}"#;
    let documents =
        [(name(&"a".repeat(256)), Attachment::User(u32::MAX), document(DocumentKind::Identity, allow))];
    let resource = Resource::Object { account: &account, container: &container, key: &key };
    let request =
        Request { actor: Actor::User(&user), action: Action::GetObject, resource, context: context() };
    assert!(PolicySet::build(documents).authorize(&request).is_ok());
}
