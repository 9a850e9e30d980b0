//! What holds for every set of policies.

use proptest::prelude::{
    Just, ProptestConfig, Strategy, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use proptest::sample::select;

use crate::action::Action;
use crate::document::{Document, DocumentKind};
use crate::fixture::{alice, ask_in, context, document, eve, name};
use crate::request::{Actor, Context};
use crate::set::{Attachment, PolicySet};

type Entry = (&'static str, Attachment, String);

fn attachment() -> impl Strategy<Value = Attachment> {
    prop_oneof![
        select(vec!["demo", "other"]).prop_map(|a| Attachment::Account(name(a))),
        select(vec!["files", "home"]).prop_map(|c| Attachment::Container(name("demo"), name(c))),
        (1..3_u32).prop_map(Attachment::User),
        (3..5_u32).prop_map(Attachment::Group),
        (5..7_u32).prop_map(Attachment::Application),
    ]
}

fn statement(kind: DocumentKind) -> impl Strategy<Value = String> {
    let effect = select(vec!["Allow", "Allow", "Deny"]);
    let action = select(vec![
        r#""Action":"*""#,
        r#""Action":["s3:GetObject","s3:List*"]"#,
        r#""Action":"s3:Put*""#,
        r#""NotAction":"s3:GetObject""#,
    ]);
    let resource = select(vec![
        r#""Resource":"*""#,
        r#""Resource":["arn:aws:s3:::files","arn:aws:s3:::files/*"]"#,
        r#""Resource":"arn:aws:s3:::home/${aws:username}/*""#,
        r#""NotResource":"arn:aws:s3:::*/a*""#,
        r#""Resource":"arn:aws:s3::other:*""#,
    ]);
    let principal = select(vec![
        r#""*""#,
        r#"{"AWS":"arn:aws:iam::demo:root"}"#,
        r#"{"AWS":["arn:aws:iam::other:user/alice","arn:aws:iam::demo:group/staff"]}"#,
    ]);
    let condition = select(vec![
        "{}",
        r#"{"StringLike":{"s3:prefix":"a*"}}"#,
        r#"{"StringNotLike":{"s3:prefix":"${aws:username}*"}}"#,
        r#"{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#,
    ]);
    (effect, action, resource, principal, condition).prop_map(move |(e, a, r, p, c)| {
        let principal = match kind {
            DocumentKind::Identity => String::new(),
            DocumentKind::Resource => format!(r#""Principal":{p},"#),
        };
        format!(r#"{{"Effect":"{e}",{principal}{a},{r},"Condition":{c}}}"#)
    })
}

fn entry() -> impl Strategy<Value = Entry> {
    (select(vec!["demo", "demo", "other"]), attachment()).prop_flat_map(|(keeper, at)| {
        let statements = prop::collection::vec(statement(at.kind()), 1..3);
        (Just(keeper), Just(at), statements.prop_map(|s| s.join(",")))
    })
}

#[derive(Clone, Debug)]
struct Question {
    actor: usize,
    action: Action,
    path: &'static str,
    prefix: Option<&'static str>,
}

fn question() -> impl Strategy<Value = Question> {
    let target = prop_oneof![
        (
            select(vec![Action::GetObject, Action::PutObject, Action::DeleteObject]),
            select(vec!["demo/files/a", "demo/home/alice/x", "demo/home/b", "other/files/a"])
        ),
        (
            select(vec![Action::ListBucket, Action::DeleteBucket]),
            select(vec!["demo/files", "demo/home", "other/files"])
        ),
        (Just(Action::ListAllMyBuckets), select(vec!["demo", "other"])),
    ];
    (0..3_usize, target, select(vec![None, Some(""), Some("alice")]))
        .prop_map(|(actor, (action, path), prefix)| Question { actor, action, path, prefix })
}

fn build(entries: &[Entry]) -> PolicySet {
    PolicySet::build(
        entries.iter().map(|(keeper, at, text)| (name(keeper), at.clone(), document(at.kind(), text))),
    )
}

fn allowed(set: &PolicySet, question: &Question) -> bool {
    let (alice, eve) = (alice(), eve());
    let actor = match question.actor {
        0 => Actor::Anyone,
        1 => Actor::User(&alice),
        _ => Actor::User(&eve),
    };
    let context = Context { prefix: question.prefix, ..context() };
    ask_in(set, actor, question.action, question.path, context).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn a_deny_never_grants(
        entries in prop::collection::vec(entry(), 0..5),
        more in entry(),
        question in question(),
    ) {
        let deny = (more.0, more.1, more.2.replace("\"Allow\"", "\"Deny\""));
        let before = allowed(&build(&entries), &question);
        let after = allowed(&build(&[entries, vec![deny]].concat()), &question);
        prop_assert!(before || !after);
    }

    #[test]
    fn an_allow_never_takes_away(
        entries in prop::collection::vec(entry(), 0..5),
        more in entry(),
        question in question(),
    ) {
        let allow = (more.0, more.1, more.2.replace("\"Deny\"", "\"Allow\""));
        let before = allowed(&build(&entries), &question);
        let after = allowed(&build(&[entries, vec![allow]].concat()), &question);
        prop_assert!(after || !before);
    }

    #[test]
    fn a_deny_of_everything_refuses_everything(
        entries in prop::collection::vec(entry(), 0..5),
        question in question(),
    ) {
        let parsed = entries.iter().map(|(k, at, text)| (name(k), at.clone(), document(at.kind(), text)));
        let stops = ["demo", "other"].map(|account| {
            let stop = Document::unreadable(DocumentKind::Resource);
            (name(account), Attachment::Account(name(account)), stop)
        });
        prop_assert!(!allowed(&PolicySet::build(parsed.chain(stops)), &question));
    }

    #[test]
    fn a_deny_of_everything_on_a_user_refuses_the_user_everywhere(
        entries in prop::collection::vec(entry(), 0..5),
        question in question(),
    ) {
        let stop = r#"{"Effect":"Deny","Action":"*","Resource":"*"}"#.to_owned();
        let entries = [entries, vec![("demo", Attachment::User(1), stop)]].concat();
        prop_assert!(question.actor != 1 || !allowed(&build(&entries), &question));
    }

    #[test]
    fn order_and_repetition_do_not_matter(
        entries in prop::collection::vec(entry(), 0..6),
        turn in 0..6_usize,
        question in question(),
    ) {
        let straight = allowed(&build(&entries), &question);
        let mut turned = [entries.clone(), entries].concat();
        turned.reverse();
        let turn = turn.min(turned.len());
        turned.rotate_left(turn);
        prop_assert_eq!(straight, allowed(&build(&turned), &question));
    }

    #[test]
    fn nobody_without_a_credential_profits_from_identity_policies(
        entries in prop::collection::vec(entry(), 0..6),
        question in question(),
    ) {
        let identity = entries.into_iter().filter(|(_, at, _)| at.kind() == DocumentKind::Identity);
        let question = Question { actor: 0, ..question };
        prop_assert!(!allowed(&build(&identity.collect::<Vec<_>>()), &question));
    }
}
