//! Chunked bodies that are not what they say, and trailers that want to be headers.

use anyhow::ensure;

use crate::attack::{Ask, MARKER};
use crate::stage::{KNOWN, Stage, on_stage};

const TARGET: &str = "/v1/demo/files/chunked";

fn chunked(stage: &Stage) -> Ask {
    Ask::new("PUT", TARGET).ticket(&stage.owner).line("Transfer-Encoding: chunked")
}

#[test]
fn chunks_that_are_malformed() {
    on_stage(2, |stage| {
        let malformed: [(&str, &[u8]); 30] = [
            ("a size ended by LF", b"5\nhello\r\n0\r\n\r\n"),
            ("an extension ended by LF", b"5;\nhello\r\n0\r\n\r\n"),
            ("a space behind the size", b"5 \r\nhello\r\n0\r\n\r\n"),
            ("a space before the size", b" 5\r\nhello\r\n0\r\n\r\n"),
            ("a tab behind the size", b"5\t\r\nhello\r\n0\r\n\r\n"),
            ("a prefix", b"0x5\r\nhello\r\n0\r\n\r\n"),
            ("a plus", b"+5\r\nhello\r\n0\r\n\r\n"),
            ("a minus", b"-5\r\nhello\r\n0\r\n\r\n"),
            ("an underscore", b"0_5\r\nhello\r\n0\r\n\r\n"),
            ("no size", b"\r\nhello\r\n0\r\n\r\n"),
            ("no digits", b"hello\r\n0\r\n\r\n"),
            ("17 digits", b"00000000000000005\r\nhello\r\n0\r\n\r\n"),
            ("a size beyond 64 bits", b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
            ("a comma", b"5,5\r\nhello\r\n0\r\n\r\n"),
            ("a chunk that is longer", b"4\r\nhello\r\n0\r\n\r\n"),
            ("a chunk that is shorter", b"6\r\nhello\r\n0\r\n\r\n"),
            ("a chunk ended by LF", b"5\r\nhello\n0\r\n\r\n"),
            ("a chunk ended by CR", b"5\r\nhello\r0\r\n\r\n"),
            ("a chunk ended by nothing", b"5\r\nhello0\r\n\r\n"),
            ("NUL in an extension", b"5;a\0\r\nhello\r\n0\r\n\r\n"),
            ("CR in an extension", b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
            ("a space in an extension", b"5; a=b\r\nhello\r\n0\r\n\r\n"),
            ("an extension without a name", b"5;=b\r\nhello\r\n0\r\n\r\n"),
            ("an extension without an end", b"5;a=\"b\r\nhello\r\n0\r\n\r\n"),
            ("a last chunk ended by LF", b"5\r\nhello\r\n0\n\r\n"),
            ("trailers ended by LF", b"5\r\nhello\r\n0\r\n\n"),
            ("a trailer ended by LF", b"5\r\nhello\r\n0\r\nX-A: b\n\r\n"),
            ("a trailer without a name", b"5\r\nhello\r\n0\r\n: b\r\n\r\n"),
            ("a trailer without a colon", b"5\r\nhello\r\n0\r\nX-A\r\n\r\n"),
            ("a folded trailer", b"5\r\nhello\r\n0\r\nX-A: b\r\n c\r\n\r\n"),
        ];
        let mut attacks = Vec::new();
        for (name, bytes) in malformed {
            attacks.push(chunked(stage).then(bytes).closes(name, 400, "IncompleteBody"));
        }
        let extension = |bytes: usize| format!("5;e={}\r\nhello\r\n", "x".repeat(bytes));
        attacks.push(chunked(stage).then(extension(300)).closes(
            "300 bytes of extension",
            400,
            "IncompleteBody",
        ));
        attacks.push(chunked(stage).then(extension(65_536)).closes(
            "64 KiB of extension",
            400,
            "IncompleteBody",
        ));
        let many = extension(200).repeat(25);
        attacks.push(chunked(stage).then(many).closes("5 KiB of extensions", 400, "IncompleteBody"));
        let trailers = format!("5\r\nhello\r\n0\r\nX-A: {}\r\n\r\n", "x".repeat(5_000));
        attacks.push(chunked(stage).then(trailers).closes(
            "5 KiB of trailers",
            431,
            "RequestHeaderSectionTooLarge",
        ));
        // Over what is there, with more before the fault than is kept in memory.
        let over = Ask::new("PUT", KNOWN).ticket(&stage.owner).line("Transfer-Encoding: chunked");
        let late = [b"186a0\r\n".to_vec(), vec![b'x'; 100_000], b"\r\nZZ\r\n".to_vec()].concat();
        attacks.push(over.then(late).closes("a fault behind 100,000 bytes", 400, "IncompleteBody"));
        stage.repel(&attacks)
    });
}

#[test]
fn trailers_are_never_headers() {
    on_stage(2, |stage| {
        let trailing = |ask: Ask, trailers: &str| {
            ask.line("Transfer-Encoding: chunked")
                .line("Trailer: x-auth-user")
                .then("5\r\nhello\r\n0\r\n")
                .then(trailers)
                .then("\r\n")
        };
        let ticket = stage.owner.lines();
        let attacks = [
            trailing(Ask::new("PUT", TARGET), &ticket).closes("a ticket in trailers", 401, "Unauthorized"),
            trailing(Ask::new("PUT", TARGET).ticket(&stage.guest), &ticket).closes(
                "another's ticket in trailers",
                403,
                "AccessDenied",
            ),
            trailing(Ask::new("PUT", TARGET).ticket(&stage.owner.without("x-auth-salt")), &ticket).closes(
                "the rest of a ticket in trailers",
                401,
                "Unauthorized",
            ),
        ];
        stage.repel(&attacks)?;
        for route in stage.routes() {
            let trailers =
                format!("X-Object-Meta-Evil: {MARKER}\r\nContent-Type: text/{MARKER}\r\nETag: x\r\n");
            let mut wire = stage.connect(&route.url)?;
            let ask = Ask::new("PUT", TARGET).ticket(&stage.owner);
            wire.send(&trailing(ask, &trailers).bytes())?;
            let response = wire.response("PUT")?;
            ensure!(response.status == 201, "{}: {}", response.status, response.text());
            // The trailers are taken off the connection with their body.
            stage.is_served(&mut wire)?;
            let stored = stage.once(&Ask::new("HEAD", TARGET).ticket(&stage.owner), 200)?;
            let head = String::from_utf8_lossy(&stored.head).into_owned();
            ensure!(
                !head.contains(MARKER) && !head.to_lowercase().contains("evil"),
                "a trailer was kept: {head}"
            );
            ensure!(stored.header("content-length") == Some("5"), "{head}");
            stage.once(&Ask::new("DELETE", TARGET).ticket(&stage.owner), 204)?;
        }
        Ok(())
    });
}
