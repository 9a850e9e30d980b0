//! Downloads, uploads, listings and trees.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use super::server::{Heard, Move, head, reply, serve, serve_with};
use super::{Bench, Notes, md5, silent, with_vending};
use crate::download::Verified;
use crate::error::ClientError;
use crate::limits::Limits;
use crate::listing::Entry;
use crate::progress::Progress;
use crate::tree::TreeAddress;
use crate::upload::{Existing, UploadOptions};

/// Serves one object by a pre-authorized URI: HEAD wants a ticket, GET must have
/// none.
fn one_object(content: &'static [u8], notes: &Notes) -> impl Fn(Heard) -> Move + Send + Sync + 'static {
    let notes = Arc::clone(notes);
    move |heard| {
        let tag = md5(content).to_string();
        if heard.method == "HEAD" {
            assert!(heard.field("x-auth-ticket").is_some());
            let length = content.len().to_string();
            let fields = [
                ("ETag", tag.as_str()),
                ("X-Preauth-Uri", "/demo/aa/f?token=PREA_11"),
                ("Content-Length", &length),
            ];
            return Move::Reply(head("200 OK", &fields, 0), Vec::new());
        }
        assert_eq!(heard.target, "/demo/aa/f?token=PREA_11");
        assert!(heard.fields.keys().all(|name| !name.starts_with("x-auth")), "no ticket beside a link");
        let range = heard.field("range").unwrap_or("-").to_owned();
        notes.lock().unwrap().push(format!("{range} {}", heard.field("if-range").unwrap_or("-")));
        let from: usize = range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap_or(0);
        if from == 0 || heard.field("if-range") != Some(&format!("\"{tag}\"")) {
            return reply("200 OK", &[], content);
        }
        let shown = format!("bytes {from}-{}/{}", content.len() - 1, content.len());
        reply("206 Partial Content", &[("Content-Range", &shown)], &content[from..])
    }
}

#[tokio::test]
async fn a_download_goes_by_the_link_and_is_verified_and_published() {
    let notes = Notes::default();
    let server = serve(with_vending(Arc::default(), one_object(b"abc", &notes))).await;
    let bench = Bench::new(&server, Limits::DEFAULT);
    let (object, file) = ("demo/files/f".parse().unwrap(), bench.file("f"));
    let got = bench.client.get_file(&object, &file, &silent()).await.unwrap();
    assert_eq!((got.bytes, got.resumed_from, got.verified), (3, 0, Verified::Md5(md5(b"abc"))));
    assert_eq!(fs::read(&file).unwrap(), b"abc");
    assert!(!bench.file("f.part").exists());
    let mut out = Vec::new();
    bench.client.get_stream(&object, &mut out, &silent()).await.unwrap();
    assert_eq!(out, b"abc");
    let link = bench.client.share(&object).await.unwrap();
    assert_eq!(link, format!("https://{}/demo/aa/f?token=PREA_11", server.address));
    let paths = bench.lines("request");
    assert!(paths.iter().all(|line| !line.to_string().contains("PREA_")), "a token is in the journal");
}

#[tokio::test]
async fn a_part_is_continued_and_one_of_another_version_is_fetched_anew() {
    for (part, expected) in [("0123", 1), ("xxxx", 2)] {
        let notes = Notes::default();
        let server = serve(with_vending(Arc::default(), one_object(b"0123456789", &notes))).await;
        let bench = Bench::new(&server, Limits::DEFAULT);
        let file = bench.file("f");
        fs::write(bench.file("f.part"), part).unwrap();
        bench.client.get_file(&"demo/files/f".parse().unwrap(), &file, &silent()).await.unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"0123456789");
        let heard = notes.lock().unwrap().clone();
        assert_eq!(heard.len(), expected, "{heard:?}");
        assert_eq!(heard[0], format!("bytes=4- \"{}\"", md5(b"0123456789")));
    }
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_is_resumed_within_the_same_download() {
    let (notes, broken) = (Notes::default(), AtomicBool::new(false));
    let whole = one_object(b"0123456789", &notes);
    let handler = move |heard: Heard| {
        if heard.method == "GET" && !broken.swap(true, Ordering::SeqCst) {
            return Move::ReplyAndClose(head("200 OK", &[], 10), b"01234".to_vec());
        }
        whole(heard)
    };
    let server = serve(with_vending(Arc::default(), handler)).await;
    let bench = Bench::new(&server, Limits::DEFAULT);
    bench.client.get_file(&"demo/files/f".parse().unwrap(), &bench.file("f"), &silent()).await.unwrap();
    assert_eq!(fs::read(bench.file("f")).unwrap(), b"0123456789");
    assert!(notes.lock().unwrap()[0].starts_with("bytes=5-"));
}

#[tokio::test]
async fn bytes_that_do_not_match_their_checksum_are_never_published() {
    let handler = |heard: Heard| match heard.method.as_str() {
        "HEAD" => {
            let tag = md5(b"right").to_string();
            Move::Reply(head("200 OK", &[("ETag", &tag), ("Content-Length", "5")], 5), Vec::new())
        }
        _ => reply("200 OK", &[], b"wrong"),
    };
    let server = serve(with_vending(Arc::default(), handler)).await;
    let bench = Bench::new(&server, Limits::DEFAULT);
    let object = "demo/files/f".parse().unwrap();
    let got = bench.client.get_file(&object, &bench.file("f"), &silent()).await;
    assert!(matches!(got, Err(ClientError::Corrupt { .. })), "{got:?}");
    assert!(!bench.file("f").exists() && !bench.file("f.part").exists());
    let got = bench.client.get_stream(&object, &mut Vec::new(), &silent()).await;
    assert!(matches!(got, Err(ClientError::Corrupt { .. })));
}

#[tokio::test]
async fn an_upload_is_compared_with_what_the_server_computed() {
    let handler = |heard: Heard| {
        let tag = if heard.target.ends_with("/lost") { md5(b"other") } else { md5(&heard.body) };
        if heard.field("if-none-match") == Some("*") {
            return reply("412 Precondition Failed", &[], b"");
        }
        assert_eq!(heard.field("content-type"), Some("text/plain"));
        assert_eq!(heard.field("x-object-meta-page"), Some("7"));
        reply("201 Created", &[("ETag", &tag.to_string())], b"")
    };
    let server = serve(with_vending(Arc::default(), handler)).await;
    let bench = Bench::new(&server, Limits::DEFAULT);
    fs::write(bench.file("in"), b"hello").unwrap();
    let options = UploadOptions {
        content_type: Some("text/plain".to_owned()),
        metadata: vec![("page".to_owned(), "7".to_owned())],
        ..UploadOptions::default()
    };
    let put = async |key: &str, options: &UploadOptions| {
        let object = format!("demo/files/{key}").parse().unwrap();
        bench.client.put_file(&object, &bench.file("in"), options, silent()).await
    };
    assert_eq!(put("k", &options).await.unwrap().etag, md5(b"hello"));
    assert!(matches!(put("lost", &options).await, Err(ClientError::Corrupt { .. })));
    let keep = UploadOptions { existing: Existing::Keep, ..options.clone() };
    assert!(matches!(put("k", &keep).await, Err(ClientError::Conflict(_))));
    let stream = Box::pin(&b"streamed"[..]);
    let object = "demo/files/s".parse().unwrap();
    let put = bench.client.put_stream(&object, stream, None, &options, silent()).await.unwrap();
    assert_eq!((put.bytes, put.etag), (8, md5(b"streamed")));
    fs::write(bench.file("in"), b"").unwrap();
    let empty = bench.client.put_file(&object, &bench.file("in"), &options, silent()).await.unwrap();
    assert_eq!(empty.bytes, 0);
    let missing = bench.client.put_file(&object, &bench.file("missing"), &options, silent()).await;
    assert!(matches!(missing, Err(ClientError::Local { .. })));
}

/// The first attempt is read whole and its answer lost; the second is the same, on
/// another connection, and the bar does not count it twice.
#[tokio::test]
async fn an_upload_whose_answer_is_lost_is_sent_again_under_its_key() {
    #[derive(Default)]
    struct Moved(AtomicI64);
    impl Progress for Moved {
        fn moved(&self, bytes: u64) {
            self.0.fetch_add(bytes.cast_signed(), Ordering::SeqCst);
        }
        fn moved_back(&self, bytes: u64) {
            self.0.fetch_sub(bytes.cast_signed(), Ordering::SeqCst);
        }
    }

    for bytes in [5, 3 << 20] {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heard);
        let handler = move |heard: Heard| {
            let key = heard.field("idempotency-key").map(str::to_owned);
            let mut seen = seen.lock().unwrap();
            seen.push((key, heard.connection, md5(&heard.body)));
            match seen.len() {
                1 => Move::Close,
                _ => reply("201 Created", &[("ETag", &md5(&heard.body).to_string())], b""),
            }
        };
        let server = serve(with_vending(Arc::default(), handler)).await;
        let bench = Bench::new(&server, Limits::DEFAULT);
        fs::write(bench.file("in"), vec![7; bytes]).unwrap();
        let moved = Arc::new(Moved::default());
        let put = |name: &str| {
            let (object, file, moved) = (format!("demo/files/{name}"), bench.file("in"), Arc::clone(&moved));
            let client = &bench.client;
            async move {
                let (object, options) = (object.parse().unwrap(), UploadOptions::default());
                client.put_file(&object, &file, &options, moved).await.unwrap().etag
            }
        };
        assert_eq!(put("k").await, md5(&vec![7; bytes]));
        assert_eq!(moved.0.load(Ordering::SeqCst), bytes as i64);
        put("other").await;
        let heard = heard.lock().unwrap().clone();
        assert_eq!(heard.len(), 3);
        assert_eq!((&heard[0].0, heard[0].2), (&heard[1].0, heard[1].2));
        assert_ne!(heard[0].1, heard[1].1, "its connection is gone");
        assert!(heard[0].0.is_some());
        assert_ne!(heard[0].0, heard[2].0, "another write, another key");
    }
}

#[tokio::test]
async fn a_large_upload_waits_for_consent_and_a_refusal_costs_no_body() {
    let handler = |heard: Heard| {
        if heard.target.ends_with("/refused") {
            assert!(heard.body.is_empty());
            return Move::ReplyAndClose(head("403 Forbidden", &[], 0), Vec::new());
        }
        assert_eq!(heard.body.len(), 3 << 20);
        reply("201 Created", &[("ETag", &md5(&heard.body).to_string())], b"")
    };
    let consent = |heard: &Heard| heard.target.ends_with("/welcome");
    let server = serve_with(with_vending(Arc::default(), handler), consent).await;
    let bench = Bench::new(&server, Limits::DEFAULT);
    fs::write(bench.file("in"), vec![7; 3 << 20]).unwrap();
    let put = async |key: &str| {
        let object = format!("demo/files/{key}").parse().unwrap();
        bench.client.put_file(&object, &bench.file("in"), &UploadOptions::default(), silent()).await
    };
    assert_eq!(put("welcome").await.unwrap().bytes, 3 << 20);
    assert!(matches!(put("refused").await, Err(ClientError::Forbidden(_))));
}

/// A container in memory: enough of the native interface for trees.
fn container(
    objects: &Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
) -> impl Fn(Heard) -> Move + Send + Sync + 'static {
    let objects = Arc::clone(objects);
    move |heard| {
        let mut objects = objects.lock().unwrap();
        let decoded = percent_encoding::percent_decode_str(&heard.target).decode_utf8().unwrap().into_owned();
        let Some(key) = decoded.strip_prefix("/v1/demo/files/").map(str::to_owned) else {
            return list(&objects, &decoded);
        };
        let there = objects.get(&key).cloned();
        match (heard.method.as_str(), there) {
            ("PUT", _) => {
                let tag = md5(&heard.body).to_string();
                objects.insert(key, heard.body);
                reply("201 Created", &[("ETag", &tag)], b"")
            }
            ("DELETE", Some(_)) => {
                objects.remove(&key);
                reply("204 No Content", &[], b"")
            }
            ("HEAD", Some(bytes)) => {
                let fields = [("ETag", md5(&bytes).to_string()), ("Content-Length", bytes.len().to_string())];
                let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
                Move::Reply(head("200 OK", &fields, 0), Vec::new())
            }
            ("GET", Some(bytes)) => reply("200 OK", &[], &bytes),
            ("HEAD", _) => Move::Reply(head("404 Not Found", &[], 0), Vec::new()),
            _ => reply("404 Not Found", &[], b"<Code>NoSuchKey</Code>"),
        }
    }
}

/// Two entries a page, so that paging is used.
fn list(objects: &BTreeMap<String, Vec<u8>>, target: &str) -> Move {
    let value = |name: &str| {
        let pairs = target.split_once('?').unwrap().1.split('&');
        pairs
            .filter_map(|pair| pair.split_once('='))
            .find(|(n, _)| *n == name)
            .map_or("", |(_, v)| v)
            .to_owned()
    };
    let (prefix, marker) = (value("prefix"), value("marker"));
    let matching = objects.iter().filter(|(key, _)| key.starts_with(&prefix) && **key > marker);
    let page: Vec<_> = matching
        .take(2)
        .map(|(key, bytes)| {
            serde_json::json!({"name": key, "hash": md5(bytes).to_string(), "bytes": bytes.len(),
                "content_type": "text/plain", "last_modified": "2014-10-20T23:55:43.990910"})
        })
        .collect();
    reply("200 OK", &[], serde_json::to_string(&page).unwrap().as_bytes())
}

#[tokio::test]
async fn trees_go_up_and_down_and_away_and_what_is_there_already_is_skipped() {
    let objects = Arc::new(Mutex::new(BTreeMap::new()));
    let server = serve(with_vending(Arc::default(), container(&objects))).await;
    let bench = Bench::new(&server, Limits::DEFAULT);
    let (up, down) = (bench.file("up"), bench.file("down"));
    fs::create_dir_all(up.join("a/b")).unwrap();
    for (name, text) in [("one", "1"), ("a/two two", "22"), ("a/b/\u{e9}", "333"), ("empty", "")] {
        fs::write(up.join(name), text).unwrap();
    }
    std::os::unix::fs::symlink("/etc", up.join("link")).unwrap();
    let tree = TreeAddress::new("demo".parse().unwrap(), "files".parse().unwrap(), "p");
    objects.lock().unwrap().insert("pq/neighbour".to_owned(), b"not below p/".to_vec());
    let options = UploadOptions::default();
    let put = async || bench.client.put_tree(&up, &tree, &options, 8, &silent()).await.unwrap();
    let first = put().await;
    assert_eq!((first.done, first.unchanged, first.failed, first.bytes), (4, 0, 0, 6), "{first:?}");
    fs::write(up.join("one"), "2").unwrap();
    let second = put().await;
    assert_eq!((second.done, second.unchanged), (1, 3));

    // A stranger's key that would leave the folder: the head refuses such a name,
    // but a listing is only text.
    objects.lock().unwrap().insert("p/x//y".to_owned(), b"evil".to_vec());
    let got = bench.client.get_tree(&tree, &down, 8, &silent()).await.unwrap();
    assert_eq!((got.done, got.failed), (4, 1), "{got:?}");
    assert!(matches!(got.failures[0].1, ClientError::LocalName { .. }));
    assert_eq!(fs::read_to_string(down.join("a/b/\u{e9}")).unwrap(), "333");
    assert_eq!(fs::read_to_string(down.join("one")).unwrap(), "2");
    let again = bench.client.get_tree(&tree, &down, 8, &silent()).await.unwrap();
    assert_eq!((again.done, again.unchanged), (0, 4));

    let gone = bench.client.remove_tree(&tree, 3, &silent()).await.unwrap();
    assert_eq!((gone.done, gone.failed), (5, 0), "{gone:?}");
    assert_eq!(objects.lock().unwrap().len(), 1, "the neighbour");
}

#[tokio::test]
async fn a_listing_is_paged_and_one_that_does_not_advance_ends() {
    let objects: BTreeMap<String, Vec<u8>> = (0..5).map(|n| (format!("k{n}"), vec![n])).collect();
    let objects = Arc::new(Mutex::new(objects));
    let server = serve(with_vending(Arc::default(), container(&objects))).await;
    let bench = Bench::new(&server, Limits::DEFAULT);
    let (account, files) = ("demo".parse().unwrap(), "files".parse().unwrap());
    let mut listing = bench.client.list(&account, &files, "", None);
    let mut names = Vec::new();
    loop {
        let page = listing.page().await.unwrap();
        if page.is_empty() {
            break;
        }
        names.extend(page.iter().map(Entry::name).map(str::to_owned));
    }
    assert_eq!(names, ["k0", "k1", "k2", "k3", "k4"]);

    let stuck = |_| reply("200 OK", &[], br#"[{"subdir":"a/"}]"#);
    let server = serve(with_vending(Arc::default(), stuck)).await;
    let bench = Bench::new(&server, Limits::DEFAULT);
    let mut listing = bench.client.list(&account, &files, "", Some('/'));
    assert_eq!(listing.page().await.unwrap().len(), 1);
    assert!(matches!(listing.page().await, Err(ClientError::Protocol(_))));
}
