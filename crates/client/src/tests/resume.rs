//! Transfers that stop in their middle, and services that ask to wait.

use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::server::{Heard, Move, Server, head, reply, serve};
use super::{Bench, md5, object_head, silent, with_vending};
use crate::error::ClientError;
use crate::limits::Limits;

const CONTENT: &[u8] = b"0123456789";

/// HEAD of an object with such a content.
fn looked_at(content: &[u8]) -> Move {
    let (tag, length) = (md5(content).to_string(), content.len().to_string());
    Move::Reply(head("200 OK", &[("ETag", &tag), ("Content-Length", &length)], 0), Vec::new())
}

/// The first five bytes, and the end of the connection.
fn half() -> Move {
    Move::ReplyAndClose(head("200 OK", &[], CONTENT.len()), CONTENT[..5].to_vec())
}

fn rest(heard: &Heard) -> Move {
    assert_eq!(heard.field("range"), Some("bytes=5-"));
    reply("206 Partial Content", &[("Content-Range", "bytes 5-9/10")], &CONTENT[5..])
}

#[tokio::test]
async fn a_stream_goes_on_where_it_stopped_if_the_object_is_the_same() {
    let gets = AtomicUsize::new(0);
    let handler = move |heard: Heard| {
        if heard.method == "HEAD" {
            return looked_at(CONTENT);
        }
        if gets.fetch_add(1, Ordering::SeqCst) == 0 {
            assert_eq!(heard.field("range"), None);
            return half();
        }
        assert_eq!(heard.field("if-match"), Some(format!("\"{}\"", md5(CONTENT)).as_str()));
        rest(&heard)
    };
    let server = serve(with_vending(Arc::default(), handler)).await;
    let bench = Bench::new(&server, Limits::DEFAULT);
    let mut out = Vec::new();
    let got = bench.client.get_stream(&"demo/files/f".parse().unwrap(), &mut out, &silent()).await.unwrap();
    assert_eq!((out.as_slice(), got.bytes), (CONTENT, 10));
}

#[tokio::test]
async fn a_stream_never_goes_on_with_another_version() {
    let looks = AtomicUsize::new(0);
    let handler = move |heard: Heard| match heard.method.as_str() {
        "HEAD" if looks.fetch_add(1, Ordering::SeqCst) == 0 => looked_at(CONTENT),
        "HEAD" => looked_at(b"9876543210"),
        _ => half(),
    };
    let server = serve(with_vending(Arc::default(), handler)).await;
    let bench = Bench::new(&server, Limits::DEFAULT);
    let mut out = Vec::new();
    let got = bench.client.get_stream(&"demo/files/f".parse().unwrap(), &mut out, &silent()).await;
    assert!(matches!(&got, Err(ClientError::Conflict(answer)) if answer.status == 412), "{got:?}");
    assert_eq!(out, &CONTENT[..5]);
}

#[tokio::test]
async fn a_stream_whose_server_breaks_it_each_time_ends() {
    let handler = |heard: Heard| if heard.method == "HEAD" { looked_at(CONTENT) } else { Move::Close };
    let server = serve(with_vending(Arc::default(), handler)).await;
    let bench = Bench::new(&server, Limits::DEFAULT);
    let got = bench.client.get_stream(&"demo/files/f".parse().unwrap(), &mut Vec::new(), &silent()).await;
    assert!(matches!(got, Err(ClientError::Broken(_))), "{got:?}");
}

/// An entrance that can be closed: whoever connects is led to the server.
async fn entrance(at: SocketAddr, to: SocketAddr) -> (SocketAddr, AbortHandle) {
    let listener = TcpListener::bind(at).await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(to).await.unwrap();
            tokio::spawn(async move {
                let _either_may_be_gone = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (address, task.abort_handle())
}

#[tokio::test]
async fn a_download_outlives_a_service_that_is_away_for_a_moment() {
    let door: Arc<Mutex<Option<AbortHandle>>> = Arc::default();
    let shut = Arc::clone(&door);
    let handler = move |heard: Heard| match heard.method.as_str() {
        "HEAD" => looked_at(CONTENT),
        _ => match shut.lock().unwrap().take() {
            Some(door) => {
                door.abort();
                half()
            }
            None => rest(&heard),
        },
    };
    let server = serve(with_vending(Arc::default(), handler)).await;
    let (address, accepting) = entrance("127.0.0.1:0".parse().unwrap(), server.address).await;
    *door.lock().unwrap() = Some(accepting);
    let behind = server.address;
    let bench = Bench::new(&Server { address, ..server }, Limits::DEFAULT);
    let back = async {
        super::until(|| door.lock().unwrap().is_none()).await;
        // Until then a connect is refused, and the download has to come again.
        let refused = |line: &Value| line["error"]["code"] == "ConnectRefused";
        super::until(|| bench.lines("request").iter().any(refused)).await;
        entrance(address, behind).await
    };
    let object = "demo/files/f".parse().unwrap();
    let (file, progress) = (bench.file("f"), silent());
    let (got, _open) = tokio::join!(bench.client.get_file(&object, &file, &progress), back);
    got.unwrap();
    assert_eq!(fs::read(bench.file("f")).unwrap(), CONTENT);
}

#[tokio::test]
async fn a_service_that_asks_to_wait_is_asked_again_then_and_not_for_ever() {
    let heard_of = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&heard_of);
    let busy = |after: &str| {
        Move::Reply(
            head("503 Service Unavailable", &[("Retry-After", after), ("Content-Length", "0")], 0),
            Vec::new(),
        )
    };
    let handler = move |heard: Heard| {
        let number = seen.fetch_add(1, Ordering::SeqCst);
        match heard.target.rsplit('/').next() {
            Some("always") => busy("0"),
            Some("long") => busy("3600"),
            _ if number == 0 => busy("1"),
            _ if heard.method == "DELETE" => reply("204 No Content", &[], b""),
            _ => object_head(),
        }
    };
    let server = serve(with_vending(Arc::default(), handler)).await;
    let bench = Bench::new(&server, Limits::DEFAULT);
    let object = |name: &str| format!("demo/files/{name}").parse().unwrap();
    let count = || heard_of.swap(0, Ordering::SeqCst);

    let started = Instant::now();
    bench.client.stat(&object("once")).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1), "as it was told");
    assert_eq!(count(), 2);
    let attempts: Vec<_> = bench.lines("request").iter().map(|l| l["repono"]["attempts"].clone()).collect();
    assert_eq!(attempts, [1, 2]);
    bench.client.remove(&object("once")).await.unwrap();
    assert_eq!(count(), 2);

    for name in ["always", "long"] {
        let refused = bench.client.stat(&object(name)).await;
        assert!(matches!(refused, Err(ClientError::Unavailable(_))), "{refused:?}");
        assert_eq!(count(), if name == "always" { 3 } else { 1 });
    }
    let refused = bench.client.remove(&object("always")).await;
    assert!(matches!(refused, Err(ClientError::Unavailable(_))), "{refused:?}");
    assert_eq!(count(), 3);
}
