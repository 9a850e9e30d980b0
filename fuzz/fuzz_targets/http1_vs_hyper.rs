//! Our codec against hyper's: whatever both accept must frame alike.
//!
//! Both read the same stream of pipelined requests. As long as neither has
//! refused anything, the next request must have the same method, target and body
//! for both. We may refuse what hyper accepts and the other way round; from then
//! on there is nothing to compare, since a refusal ends the connection.

#![no_main]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use libfuzzer_sys::fuzz_target;
use repono_core::refusal::After;
use repono_core::request::{Method, RequestHead, Version};
use repono_http1::{BodyDecoder, HeadParse, Limits, parse_head};
use tokio::io::AsyncWriteExt;

/// Larger than any stream, and than all replies to it.
const PIPE_BYTES: usize = 1 << 20;
/// Longer streams show nothing new.
const STREAM_BYTES_MAX: usize = 16 * 1024;

/// One request as a server read it.
#[derive(Debug, PartialEq)]
struct Seen {
    method: String,
    target: Vec<u8>,
    /// `None` when the body broke off or was refused.
    body: Option<Vec<u8>>,
}

fuzz_target!(|stream: &[u8]| {
    if stream.len() > STREAM_BYTES_MAX {
        return;
    }
    for (ours, theirs) in read_by_us(stream).iter().zip(&read_by_hyper(stream)) {
        assert_eq!(ours.method, theirs.method);
        assert_eq!(ours.target, theirs.target);
        // Whoever gives a body up ends the connection: nothing left to compare.
        if ours.body.is_none() || theirs.body.is_none() {
            return;
        }
        assert_eq!(ours.body, theirs.body);
    }
});

fn read_by_us(mut stream: &[u8]) -> Vec<Seen> {
    let limits = Limits::default();
    let mut head = RequestHead::new(Method::Get, Version::Http11, b"").unwrap();
    let mut requests = Vec::new();
    while let Ok(HeadParse::Complete { consumed, body: kind, connection, .. }) =
        parse_head(stream, &limits, &mut head)
    {
        stream = &stream[consumed..];
        let mut decoder = BodyDecoder::new(kind, &limits);
        let mut body = Vec::new();
        while let Ok(decoded) = decoder.decode(stream) {
            body.extend_from_slice(decoded.data);
            stream = &stream[decoded.consumed..];
            if decoded.consumed == 0 {
                break;
            }
        }
        let body = decoder.is_done().then_some(body);
        let ends = body.is_none() || connection == After::Close;
        let (method, target) = (head.method().as_str().to_owned(), head.target().to_vec());
        requests.push(Seen { method, target, body });
        if ends {
            break;
        }
    }
    requests
}

fn read_by_hyper(stream: &[u8]) -> Vec<Seen> {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    let service = service_fn(move |request: Request<Incoming>| {
        let seen = Arc::clone(&seen);
        async move {
            let method = request.method().as_str().to_owned();
            // An absolute target comes down to its path, as with us.
            let uri = request.uri().clone();
            let target = match (uri.path_and_query(), uri.scheme()) {
                (Some(path), _) => path.as_str().as_bytes().to_vec(),
                (None, _) => uri.to_string().into_bytes(),
            };
            let body = request.into_body().collect().await.ok().map(|body| body.to_bytes().to_vec());
            seen.lock().unwrap().push(Seen { method, target, body });
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(PIPE_BYTES);
        client.write_all(stream).await.unwrap();
        client.shutdown().await.unwrap();
        // Its error says that it refused something, which is its right.
        let _ = hyper::server::conn::http1::Builder::new()
            .half_close(true)
            .serve_connection(TokioIo::new(server), service)
            .await;
    });
    std::mem::take(&mut *requests.lock().unwrap())
}
