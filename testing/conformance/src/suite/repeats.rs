//! Writes that arrive twice and take effect once.

use repono_core::etag::ETag;
use repono_store::error::StoreError;
use repono_store::model::repeat::{ANSWER_KEPT, Body, Repeatable};
use repono_store::model::{DeleteObject, Deleted, ObjectLookup, Precondition};
use repono_store::upload::CommitRequest;

use crate::fixture::{Fixture, account, container, key, request};

pub(super) async fn run(make: &impl Fn() -> Fixture) {
    a_second_arrival_gets_the_first_answer(make().with_container().await).await;
    a_key_stands_for_one_request(make().with_container().await).await;
    a_deletion_deletes_once(make().with_container().await).await;
    answers_are_kept_for_an_hour(make().with_container().await).await;
}

fn under(key: &str, what: &'static str, body: Body) -> Option<Repeatable> {
    Some(Repeatable::new("demo:ann", key, [what.as_bytes()], body))
}

async fn a_second_arrival_gets_the_first_answer(f: Fixture) {
    for bytes in [10, 300_000] {
        let body = vec![7; bytes];
        let name = format!("k{bytes}");
        let sent = || CommitRequest {
            precondition: Precondition::IfNoneMatchAny,
            repeatable: under(&name, "put", Body::Sent),
            ..request(&name)
        };
        let first = f.put(sent(), &body).await.unwrap();
        f.clock.advance(ANSWER_KEPT / 4);
        assert_eq!(f.put(sent(), &body).await.unwrap(), first, "its condition held when it came first");
        assert_eq!(f.body(&name).await.unwrap(), body);
        f.put(request(&name), b"newer").await.unwrap();
        assert_eq!(f.put(sent(), &body).await.unwrap(), first);
        assert_eq!(f.body(&name).await.unwrap(), b"newer", "it had its effect before");
    }
    assert_eq!(f.blobs().await.len(), 1, "a repeated body stayed");
    let mut reader = f.store.reader().unwrap();
    let found = reader.account("demo").await.unwrap().unwrap();
    assert_eq!((found.object_count, found.bytes_used), (2, 10));
}

async fn a_key_stands_for_one_request(f: Fixture) {
    let sent = |what, body| CommitRequest { repeatable: under("k", what, body), ..request("k") };
    let first = f.put(sent("put", Body::Sent), b"1").await.unwrap();
    let reused = |result| matches!(result, Err(StoreError::KeyReused));
    assert!(reused(f.put(sent("put", Body::Sent), b"2").await), "another body");
    assert!(reused(f.put(sent("other", Body::Sent), b"1").await), "another request");
    assert_eq!(f.put(sent("put", Body::Made), b"2").await.unwrap(), first, "its body was made here");
    let meta = f.store.meta();
    let (demo, files) = (account("demo"), container("files"));
    let deleted = meta
        .delete_object(DeleteObject {
            repeatable: under("k", "delete", Body::Sent),
            ..DeleteObject::new(&demo, &files, &key("k"))
        })
        .await;
    assert!(matches!(deleted, Err(StoreError::KeyReused)));
    let other = Some(Repeatable::new("demo:bob", "k", [&b"put"[..]], Body::Sent));
    f.put(CommitRequest { repeatable: other, ..request("k") }, b"2").await.unwrap();
    assert_eq!(f.body("k").await.unwrap(), b"2", "the key of another actor");
    let refused = CommitRequest {
        precondition: Precondition::IfMatch(vec![ETag::from_md5([9; 16])]),
        repeatable: under("refused", "put", Body::Sent),
        ..request("k")
    };
    assert!(matches!(f.put(refused.clone(), b"3").await, Err(StoreError::PreconditionFailed)));
    let decided_anew = CommitRequest { precondition: Precondition::None, ..refused };
    f.put(decided_anew, b"3").await.unwrap();
    assert_eq!(f.body("k").await.unwrap(), b"3");
}

async fn a_deletion_deletes_once(f: Fixture) {
    let meta = f.store.meta();
    let (demo, files, k) = (account("demo"), container("files"), key("k"));
    let delete =
        |repeatable| meta.delete_object(DeleteObject { repeatable, ..DeleteObject::new(&demo, &files, &k) });
    let first = f.put(request("k"), b"1").await.unwrap();
    let gone = Deleted::Deleted { version: first.version };
    assert_eq!(delete(under("a", "delete", Body::Sent)).await.unwrap(), gone);
    assert_eq!(delete(under("b", "delete", Body::Sent)).await.unwrap(), Deleted::NoKey);
    f.put(request("k"), b"2").await.unwrap();
    assert_eq!(delete(under("a", "delete", Body::Sent)).await.unwrap(), gone);
    assert_eq!(delete(under("b", "delete", Body::Sent)).await.unwrap(), Deleted::NoKey);
    assert_eq!(f.body("k").await.unwrap(), b"2");
}

async fn answers_are_kept_for_an_hour(f: Fixture) {
    let sent = || CommitRequest { repeatable: under("k", "put", Body::Sent), ..request("k") };
    f.put(sent(), b"1").await.unwrap();
    f.store
        .meta()
        .delete_object(DeleteObject::new(&account("demo"), &container("files"), &key("k")))
        .await
        .unwrap();
    f.store.forget_answers().await.unwrap();
    f.put(sent(), b"1").await.unwrap();
    assert_eq!(f.lookup("k").await, ObjectLookup::NoKey);
    f.clock.advance(ANSWER_KEPT);
    f.put(sent(), b"1").await.unwrap();
    assert_eq!(f.body("k").await.unwrap(), b"1", "nobody sends it again after so long");
    f.clock.advance(ANSWER_KEPT);
    f.store.forget_answers().await.unwrap();
    f.put(sent(), b"2").await.unwrap();
    assert_eq!(f.body("k").await.unwrap(), b"2");
}
