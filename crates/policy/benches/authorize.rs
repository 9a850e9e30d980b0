//! What a decision costs: it is made at every request.
#![expect(clippy::expect_used, reason = "a benchmark")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use criterion::{Criterion, criterion_group, criterion_main};
use repono_policy::{
    Action, Actor, Attachment, Context, Document, PolicySet, Request, Resource, Transport, UserIdentity,
};

/// A policy like those that applications get: two statements, one with a
/// condition.
fn policy(number: usize) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[
        {{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::project-{number}/home/${{aws:username}}/*"}},
        {{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::project-{number}/*/secret/*",
          "Condition":{{"NotIpAddress":{{"aws:SourceIp":["10.0.0.0/8","192.168.0.0/16"]}}}}}}]}}"#
    )
}

/// A user with ten policies of their own, among `users` users alike.
fn ten_policies_each(users: u32) -> PolicySet {
    let documents: Vec<_> =
        (0..10).map(|n| Document::parse(&policy(n), Attachment::User(0).kind()).expect("valid")).collect();
    PolicySet::build(
        (0..users).flat_map(|user| {
            documents.iter().map(move |d| (name("demo"), Attachment::User(user), d.clone()))
        }),
    )
}

fn user() -> UserIdentity {
    UserIdentity {
        id: 7,
        account: name("demo"),
        user: name("alice"),
        application: name("demo-app"),
        application_id: 1,
        groups: vec![1, 2, 3],
        group_names: vec!["a".to_owned(), "b".to_owned(), "c".to_owned()],
    }
}

fn decisions(criterion: &mut Criterion) {
    let (account, user, set) = (name("demo"), user(), ten_policies_each(1000));
    let context = Context {
        source_ip: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)),
        now_s: 1_700_000_000,
        transport: Transport::Tls,
        prefix: None,
        delimiter: None,
        max_keys: None,
        user_agent: Some(b"aws-cli/2.0"),
        referer: None,
    };
    for (title, container, key) in [
        ("allowed by the last of 10 policies", "project-9", "home/alice/2026/report.pdf"),
        ("refused, no statement allows", "project-x", "home/alice/2026/report.pdf"),
        ("denied by a condition", "project-9", "home/alice/secret/report.pdf"),
    ] {
        let (container, key) = (name(container), name(key));
        let resource = Resource::Object { account: &account, container: &container, key: &key };
        let request = Request { actor: Actor::User(&user), action: Action::GetObject, resource, context };
        criterion.bench_function(title, |b| b.iter(|| black_box(set.authorize(black_box(&request)))));
    }
}

/// The worst document that is accepted, against the worst key: the bound on what
/// one author of policies can cost everyone.
fn hostile(criterion: &mut Criterion) {
    let plain = format!("\"arn:aws:s3:::*{}b*\"", "a".repeat(600));
    let mixed = format!("\"arn:aws:s3:::*{}?b*\"", "a".repeat(250));
    let resources = [vec![mixed], vec![plain; 30]].concat().join(",");
    let json = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Deny","Action":"*","Resource":[{resources}]}}}}"#
    );
    let attachment = Attachment::User(7);
    let document = Document::parse(&json, attachment.kind()).expect("valid");
    let set = PolicySet::build([(name("demo"), attachment, document)]);
    let (account, container, key, user) = (name("demo"), name("a"), name(&"a".repeat(1024)), user());
    let context = Context {
        source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        now_s: 0,
        transport: Transport::Tls,
        prefix: None,
        delimiter: None,
        max_keys: None,
        user_agent: None,
        referer: None,
    };
    let resource = Resource::Object { account: &account, container: &container, key: &key };
    let request = Request { actor: Actor::User(&user), action: Action::GetObject, resource, context };
    criterion.bench_function("hostile document of 20 KiB", |b| {
        b.iter(|| black_box(set.authorize(black_box(&request))))
    });
}

fn name<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a name")
}

criterion_group!(benches, decisions, hostile);
criterion_main!(benches);
