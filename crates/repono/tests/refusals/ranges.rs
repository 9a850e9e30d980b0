//! Ranges: what is malformed is ignored, what lies outside is refused, and what
//! only an attack asks for is refused as well.

use anyhow::ensure;

use crate::attack::Ask;
use crate::stage::{KNOWN, KNOWN_BLOB, content, on_stage};

/// Values that are not honoured: the whole object comes.
const IGNORED: [&str; 14] = [
    "bytes=9-1",
    "bytes=",
    "bytes=-",
    "bytes=--1",
    "bytes=a-b",
    "bytes=1",
    "bytes=+1-2",
    "bytes=0x1-0x2",
    "bytes=0-1,x",
    "bytes=0-1;2-3",
    "bytes:0-1",
    "lines=1-2",
    "0-1",
    "bytes",
];

#[test]
fn ranges_that_make_no_sense() {
    on_stage(2, |stage| {
        let many = format!("bytes={}", vec!["0-"; 1000].join(","));
        let refused = [
            ("bytes=1000000-".to_owned(), "behind the end"),
            ("bytes=1000000-2000000".to_owned(), "wholly behind the end"),
            ("bytes=-0".to_owned(), "an empty suffix"),
            (format!("bytes=1{}-", "0".repeat(30)), "a number beyond 64 bits"),
            ("bytes=1000000-,2000000-".to_owned(), "two behind the end"),
            (many, "a thousand overlapping"),
            (format!("bytes={}", vec!["0-1"; 51].join(",")), "fifty-one"),
            ("bytes=0-5,1-6,2-7,3-8".to_owned(), "four that overlap"),
            ("bytes=18-18,16-16,14-14,12-12,10-10,8-8,6-6,4-4,2-2".to_owned(), "nine backwards"),
        ];
        let mut attacks = Vec::new();
        for target in [KNOWN, KNOWN_BLOB] {
            for (range, name) in &refused {
                let ask = Ask::new("GET", target).ticket(&stage.owner).line(format!("Range: {range}"));
                attacks.push(ask.keeps(format!("{name} of {target}"), 416, "InvalidRange"));
            }
        }
        stage.repel(&attacks)?;
        for route in stage.routes() {
            for (target, bytes) in [(KNOWN, 1000), (KNOWN_BLOB, 40_000)] {
                let ask = Ask::new("GET", target).ticket(&stage.owner);
                let outside = stage.fetch(&route.url, &ask.clone().line("Range: bytes=99999-"))?;
                ensure!(
                    outside.header("content-range") == Some(&*format!("bytes */{bytes}")),
                    "no size with a 416"
                );
                for range in IGNORED {
                    let whole = stage.fetch(&route.url, &ask.clone().line(format!("Range: {range}")))?;
                    ensure!(whole.status == 200 && whole.body == content(bytes), "{target}: {range}");
                }
                // Only a GET has ranges (RFC 9110 section 14.2).
                let head = Ask::new("HEAD", target).ticket(&stage.owner).line("Range: bytes=99999-");
                ensure!(stage.fetch(&route.url, &head)?.status == 200, "{target}: a range with HEAD");
                let stale = ask
                    .clone()
                    .line("Range: bytes=0-0")
                    .line("If-Range: \"00000000000000000000000000000000\"");
                let whole = stage.fetch(&route.url, &stale)?;
                ensure!(
                    whole.status == 200 && whole.body == content(bytes),
                    "{target}: a part of another version"
                );
            }
        }
        Ok(())
    });
}
