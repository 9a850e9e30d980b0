//! A state machine: random commands go to SQLite and to the model, and every
//! answer must be the same.
//!
//! Names come from small sets, so that commands meet the same things often. The
//! clock moves by random steps, backwards too. Found sequences are shrunk by
//! proptest.

#![expect(clippy::unwrap_used, reason = "a test: what is not foreseen must panic")]

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::sample::select;
use proptest::test_runner::Config;
use repono_conformance::fixture::{GRACE, ManualClock, account, application, by, container, key, user};
use repono_conformance::model::ModelStore;
use repono_core::etag::ETag;
use repono_core::id::{BlobId, VersionId};
use repono_core::time::Timestamp;
use repono_store::blob::{BlobHold, FinishedBlob};
use repono_store::error::StoreError;
use repono_store::meta::sqlite::{SqliteConfig, SqliteMetaStore};
use repono_store::meta::{MetaReader, MetaStore};
use repono_store::model::identity::{IdentityChange as Change, PolicyAttachment, SecretHash, Standing};
use repono_store::model::repeat::{Body, Repeatable};
use repono_store::model::{
    BlobPlace, CommitObject, DeleteObject, ListOrder, ListPage, MetadataChange, NewContent, ObjectMetadata,
    Precondition, RollUp,
};

const ACCOUNTS: [&str; 2] = ["one", "two"];
const CONTAINERS: [&str; 2] = ["c", "d"];
const KEYS: [&str; 7] = ["a", "a/", "a/b", "a/b/c", "a0", "b", "\u{e9}"];
const PIECES: [&str; 6] = ["", "a", "a/", "a/b", "b", "\u{e9}"];

#[derive(Clone, Debug)]
enum Command {
    Commit { at: Place, bytes: u8, precondition: Precondition, body: Where, again: Option<u8> },
    Metadata { at: Place, content_type: Option<String> },
    Delete { at: Place, again: Option<u8> },
    CreateContainer { at: Place, value: u8 },
    ChangeContainer { at: Place, changes: Vec<MetadataChange> },
    DeleteContainer { at: Place },
    ChangeAccount { at: Place, changes: Vec<MetadataChange> },
    Identity(Change),
    List { at: Place, page: ListPage },
    Collect { later: u32 },
    Clock { seconds: i8 },
}

#[derive(Clone, Copy, Debug)]
enum Where {
    Inline,
    Blob,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    account: &'static str,
    container: &'static str,
    key: &'static str,
}

struct NoBlob;

impl BlobHold for NoBlob {
    fn keep(&mut self) {}
}

fn place() -> impl Strategy<Value = Place> {
    (select(&ACCOUNTS[..]), select(&CONTAINERS[..]), select(&KEYS[..]))
        .prop_map(|(account, container, key)| Place { account, container, key })
}

fn precondition() -> impl Strategy<Value = Precondition> {
    prop_oneof![
        4 => Just(Precondition::None),
        1 => Just(Precondition::IfNoneMatchAny),
        1 => Just(Precondition::IfMatchAny),
        1 => (0_u8..4).prop_map(|tag| Precondition::IfMatch(vec![ETag::from_md5([tag; 16])])),
    ]
}

fn changes() -> impl Strategy<Value = Vec<MetadataChange>> {
    let name = select(&["x", "y", "z"][..]).prop_map(str::to_owned);
    vec((name, option::of(select(&["1", "\"2\""][..]).prop_map(str::to_owned))), 0..3)
}

fn page() -> impl Strategy<Value = ListPage> {
    let piece = || select(&PIECES[..]).prop_map(str::to_owned);
    let delimiter = select(&["/", "b", "a/"][..]).prop_map(str::to_owned);
    let order = select(&[ListOrder::Ascending, ListOrder::Descending][..]);
    let roll_up = select(&[RollUp::Show, RollUp::Leave][..]);
    let how = (0_usize..6, order, roll_up);
    (piece(), option::of(delimiter), option::of(piece()), option::of(piece()), how).prop_map(
        |(prefix, delimiter, marker, end_marker, (limit, order, roll_up))| ListPage {
            prefix,
            delimiter,
            roll_up,
            marker,
            end_marker,
            limit,
            order,
        },
    )
}

fn attachment() -> impl Strategy<Value = PolicyAttachment> {
    prop_oneof![
        select(&ACCOUNTS[..]).prop_map(|name| PolicyAttachment::Account(account(name))),
        place().prop_map(|at| PolicyAttachment::Container(account(at.account), container(at.container))),
        (1_u32..4).prop_map(PolicyAttachment::User),
        (1_u32..4).prop_map(PolicyAttachment::Group),
        (1_u32..4).prop_map(PolicyAttachment::Application),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let account = || select(&ACCOUNTS[..]).prop_map(account);
    let user = || select(&["u", "v"][..]).prop_map(user);
    let app = || select(&["x", "y"][..]).prop_map(application);
    let name = || select(&["g", "h"][..]).prop_map(str::to_owned);
    let hash = || any::<u8>().prop_map(|byte| SecretHash::new(byte.to_string()));
    let standing = || select(&[Standing::Enabled, Standing::Disabled][..]);
    let second = || 0_u64..100;
    prop_oneof![
        3 => account().prop_map(|name| Change::CreateAccount { name }),
        1 => account().prop_map(|name| Change::DeleteAccount { name }),
        3 => (account(), user(), hash(), app()).prop_map(|(account, name, secret_hash, application)| {
            Change::CreateUser { account, name, secret_hash, application }
        }),
        1 => (account(), user(), standing())
            .prop_map(|(account, name, standing)| Change::SetUserStanding { account, name, standing }),
        1 => (account(), user(), hash())
            .prop_map(|(account, name, secret_hash)| Change::RotateUserSecret { account, name, secret_hash }),
        1 => (account(), user()).prop_map(|(account, name)| Change::DeleteUser { account, name }),
        1 => (account(), user(), second())
            .prop_map(|(account, name, at_s)| Change::RevokeUser { account, name, at_s }),
        3 => (app(), hash()).prop_map(|(name, secret_hash)| Change::CreateApplication { name, secret_hash }),
        1 => (app(), standing()).prop_map(|(name, standing)| Change::SetApplicationStanding { name, standing }),
        1 => (app(), second()).prop_map(|(name, at_s)| Change::RevokeApplication { name, at_s }),
        1 => app().prop_map(|name| Change::DeleteApplication { name }),
        2 => (account(), name()).prop_map(|(account, name)| Change::CreateGroup { account, name }),
        1 => (account(), name()).prop_map(|(account, name)| Change::DeleteGroup { account, name }),
        3 => (account(), name(), user())
            .prop_map(|(account, group, user)| Change::AddMember { account, group, user }),
        1 => (account(), name(), user())
            .prop_map(|(account, group, user)| Change::RemoveMember { account, group, user }),
        4 => (account(), name(), attachment(), 0_u8..9).prop_map(|(owner, name, attachment, json)| {
            Change::PutPolicy { owner, name, attachment, json: json.to_string() }
        }),
        1 => (account(), name()).prop_map(|(owner, name)| Change::DeletePolicy { owner, name }),
        1 => (0_u8..4, second()).prop_map(|(byte, until_s)| Change::RevokeSalt { salt: [byte; 16], until_s }),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let body = select(&[Where::Inline, Where::Blob][..]);
    let content_type = option::of(Just("text/plain".to_owned()));
    let again = || option::of(0_u8..3);
    prop_oneof![
        8 => (place(), 0_u8..4, precondition(), body, again()).prop_map(
            |(at, bytes, precondition, body, again)| Command::Commit { at, bytes, precondition, body, again }
        ),
        2 => (place(), content_type).prop_map(|(at, content_type)| Command::Metadata { at, content_type }),
        2 => (place(), again()).prop_map(|(at, again)| Command::Delete { at, again }),
        4 => (place(), any::<u8>()).prop_map(|(at, value)| Command::CreateContainer { at, value }),
        1 => (place(), changes()).prop_map(|(at, changes)| Command::ChangeContainer { at, changes }),
        1 => place().prop_map(|at| Command::DeleteContainer { at }),
        1 => (place(), changes()).prop_map(|(at, changes)| Command::ChangeAccount { at, changes }),
        6 => change().prop_map(Command::Identity),
        6 => (place(), page()).prop_map(|(at, page)| Command::List { at, page }),
        1 => (0_u32..1200).prop_map(|later| Command::Collect { later }),
        1 => any::<i8>().prop_map(|seconds| Command::Clock { seconds }),
    ]
}

/// One engine under test.
struct Side {
    meta: Box<dyn MetaStore>,
    reader: Box<dyn MetaReader>,
}

impl Side {
    fn new(meta: Box<dyn MetaStore>) -> Self {
        let reader = meta.reader().unwrap();
        Self { meta, reader }
    }

    /// Carries out a command and tells its answer, and what is there afterwards.
    async fn answer(&mut self, command: &Command, number: u64, now: Timestamp) -> String {
        let told = self.carry_out(command, number, now).await;
        let mut all = vec![told];
        for name in ACCOUNTS {
            all.push(text(self.reader.account(name).await));
            let page = ListPage { limit: 100, ..ListPage::default() };
            all.push(text(self.reader.list_containers(name, &page).await));
            for container in CONTAINERS {
                all.push(text(self.reader.container(name, container).await));
                for key in KEYS {
                    all.push(text(self.reader.object(name, container, key).await));
                }
            }
        }
        let version = VersionId::from_u64(number.saturating_sub(1)).unwrap();
        all.push(text(self.reader.object_by_version(version).await));
        all.push(text(self.meta.identity().await));
        let secrets = self.meta.secrets().await.unwrap();
        for (id, hash) in secrets.users.iter().chain(&secrets.applications) {
            all.push(format!("{id} {}", hash.expose()));
        }
        all.push(text(self.reader.identity_epoch().await));
        all.push(text(self.meta.audit_tail(3).await));
        all.join("\n")
    }

    async fn carry_out(&mut self, command: &Command, number: u64, now: Timestamp) -> String {
        let meta = &self.meta;
        match command.clone() {
            Command::Commit { at, bytes, precondition, body, again } => {
                let repeatable = again.map(|again| repeatable(again, "PUT", at));
                let object = CommitObject { repeatable, ..object(at, bytes, precondition, body, number) };
                text(meta.commit_object(object).await)
            }
            Command::Metadata { at, content_type } => {
                let new = ObjectMetadata { content_type, metadata: vec![("n".into(), number.to_string())] };
                text(
                    meta.replace_metadata(&account(at.account), &container(at.container), &key(at.key), new)
                        .await,
                )
            }
            Command::Delete { at, again } => {
                let (account, container, key) = (account(at.account), container(at.container), key(at.key));
                let repeatable = again.map(|again| repeatable(again, "DELETE", at));
                let object = DeleteObject { repeatable, ..DeleteObject::new(&account, &container, &key) };
                text(meta.delete_object(object).await)
            }
            Command::CreateContainer { at, value } => {
                let metadata = vec![("x".into(), value.to_string())];
                text(meta.create_container(&account(at.account), &container(at.container), metadata).await)
            }
            Command::ChangeContainer { at, changes } => {
                let (account, container) = (account(at.account), container(at.container));
                text(meta.change_container_metadata(&account, &container, changes).await)
            }
            Command::DeleteContainer { at } => {
                text(meta.delete_container(&account(at.account), &container(at.container)).await)
            }
            Command::ChangeAccount { at, changes } => {
                text(meta.change_account_metadata(&account(at.account), changes).await)
            }
            Command::Identity(change) => {
                let line = by(&format!("{number}"));
                text(meta.change_identity(change, line).await)
            }
            Command::List { at, page } => {
                text(self.reader.list_objects(at.account, at.container, &page).await)
            }
            Command::Collect { later } => self.collect(now.plus(Duration::from_secs(later.into()))).await,
            Command::Clock { .. } => String::new(),
        }
    }

    async fn collect(&self, now: Timestamp) -> String {
        let batch = self.meta.garbage_batch(now).await.unwrap();
        let known: Vec<_> = (0..64).map(blob_id).collect();
        let before: BTreeSet<_> = self.meta.blobs_referenced(&known).await.unwrap().into_iter().collect();
        self.meta.garbage_done(batch.clone()).await.unwrap();
        let after: BTreeSet<_> = self.meta.blobs_referenced(&known).await.unwrap().into_iter().collect();
        let batch: BTreeSet<_> = batch.into_iter().collect();
        format!("{batch:?} {before:?} {after:?}")
    }
}

fn blob_id(number: u64) -> BlobId {
    BlobId::from_bytes(u128::from(number).to_be_bytes())
}

fn object(at: Place, bytes: u8, precondition: Precondition, body: Where, number: u64) -> CommitObject {
    let content = match body {
        Where::Inline => {
            let bytes = Bytes::from(vec![b'x'; usize::from(bytes)]);
            NewContent::Inline { crc64: crc_fast::crc64_nvme(&bytes), bytes }
        }
        Where::Blob => NewContent::Blob(FinishedBlob {
            place: BlobPlace { id: blob_id(number), footer_crc64: u64::MAX - number, footer_bytes: 99 },
            size: bytes.into(),
            etag: ETag::from_md5([bytes; 16]),
            hold: Box::new(NoBlob),
        }),
    };
    CommitObject {
        account: account(at.account),
        container: container(at.container),
        key: key(at.key),
        version: VersionId::from_u64(number).unwrap(),
        size: bytes.into(),
        etag: ETag::from_md5([bytes; 16]),
        content_type: "a/b".into(),
        metadata: Vec::new(),
        precondition,
        repeatable: None,
        content,
    }
}

fn repeatable(again: u8, method: &str, at: Place) -> Repeatable {
    let parts = [method, at.account, at.container, at.key].map(str::as_bytes);
    Repeatable::new("actor", &again.to_string(), parts, Body::Sent)
}

/// An answer as text.
fn text<T: Debug>(answer: Result<T, StoreError>) -> String {
    format!("{answer:?}")
}

async fn run(commands: Vec<Command>) {
    let (home, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
    let config = SqliteConfig {
        database: home.path().join("meta.sqlite"),
        lock: home.path().join("meta.lock"),
        garbage_grace: GRACE,
        commit_wait: Duration::from_secs(30),
        clock: clock.clock(),
    };
    let mut sqlite = Side::new(Box::new(SqliteMetaStore::open(config).unwrap()));
    let mut model = Side::new(Box::new(ModelStore::new(clock.clock(), GRACE)));
    for (number, command) in commands.iter().enumerate() {
        if let Command::Clock { seconds } = command {
            let units = i64::from(*seconds) * Timestamp::PER_SECOND as i64;
            clock.set(Timestamp::from_units(clock.now().units().saturating_add_signed(units)));
        }
        let number = number as u64;
        let found = sqlite.answer(command, number, clock.now()).await;
        let expected = model.answer(command, number, clock.now()).await;
        for (found, expected) in found.lines().zip(expected.lines()) {
            assert_eq!(found, expected, "after command {number}: {command:?}");
        }
        assert_eq!(found, expected);
    }
}

proptest! {
    #![proptest_config(Config { cases: 48, ..Config::default() })]

    #[test]
    fn sqlite_answers_as_the_model_does(commands in vec(command(), 1..60)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(commands));
    }
}
