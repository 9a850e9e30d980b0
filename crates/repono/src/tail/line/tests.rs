//! Lines as people see them, from lines as journals have them.

use repono_journal::read;

use super::{Paint, in_words, written};

const REQUEST: &str = r#"{"@timestamp":"2015-08-16T01:03:03.334512001Z","service":{"name":"repono-client","node":{"name":"client"}},"host":{"boot":{"id":"6f2b"}},"process":{"pid":4242},"event":{"dataset":"repono.request","sequence":9},"http":{"request":{"method":"HEAD","body":{"bytes":3}},"response":{"status_code":200,"body":{"bytes":412}}},"url":{"path":"/v1/a/b/\u001b[2J\u202e"},"user":{"name":"demo:demo"},"repono":{"side":"client","connection":{"id":"abababababababababababab","reused":true,"idle_before_ns":361000000000,"requests_before":12},"attempts":2,"phase_ns":{"queue":1,"dns":0,"connect":900000,"tls":0,"send":0,"wait":10328000000,"authorize":0,"store":7,"receive":0},"wall_ns":1439686973000000001,"mono_ns":{"start":5000000000,"end":15334512000}}}"#;

const CONNECTION: &str = r#"{"service":{"name":"repono-balancer","node":{"name":"balancer"}},"host":{"boot":{"id":""}},"process":{"pid":1},"event":{"dataset":"repono.connection","sequence":1},"source":{"ip":"127.0.0.1","port":1},"destination":{"ip":"127.0.0.1","port":2},"repono":{"side":"balancer","connection":{"id":"0202020202020202020202ff","requests":12,"closed_by":"us","manner":"idle-expiry","phase":"idle","idle_at_close_ns":900000000000,"end_code":"sD"},"head":"head-3","wall_ns":1439686973000000001,"mono_ns":{"start":0,"end":1000000000000}}}"#;

const CHANGE: &str = r#"{"service":{"name":"repono-balancer","node":{"name":"balancer"}},"host":{"boot":{"id":""}},"process":{"pid":1},"event":{"dataset":"repono.change","sequence":1},"repono":{"change":{"who":"uid 1000","what":"head-1.state","from":"ready","to":"draining"},"wall_ns":5,"mono_ns":{"start":6,"end":6}}}"#;

fn line(record: &str, paint: Paint) -> String {
    written(&read::record(record.as_bytes()).unwrap(), paint)
}

#[test]
fn a_request_reads_like_this() {
    assert_eq!(
        line(REQUEST, Paint::Plain),
        "2015-08-16T01:03:03.334Z client/client HEAD /v1/a/b/\\u{1b}[2J\\u{202e} 200 10.3 s (wait 10.3 s)  \
         reused, idle 361 s  attempt 2  abababab demo:demo\n"
    );
    let failed = REQUEST
        .replace("\"status_code\":200,", "")
        .replace("\"user\":{\"name\":\"demo:demo\"}", "\"error\":{\"code\":\"ConnectionBroken\"}");
    let plain = line(&failed.replace("true", "false"), Paint::Plain);
    assert!(plain.ends_with(" ConnectionBroken 10.3 s (wait 10.3 s)  new  attempt 2  abababab\n"), "{plain}");
    let dyed = line(&failed, Paint::Colours);
    assert!(dyed.contains("\u{1b}[31mConnectionBroken\u{1b}[0m \u{1b}[35m10.3 s\u{1b}[0m"), "{dyed}");
}

#[test]
fn ends_and_changes_read_like_this() {
    assert_eq!(
        line(CONNECTION, Paint::Plain),
        "2015-08-16T01:19:33.000Z balancer/balancer connection ended by us, idle-expiry, idle 900 s; \
         12 requests in 1000 s  sD  head-3  02020202\n"
    );
    assert_eq!(
        line(CHANGE, Paint::Plain),
        "1970-01-01T00:00:00.000Z balancer/balancer change: head-1.state from ready to draining, by uid 1000\n"
    );
}

#[test]
fn spans_have_three_digits_or_fewer() {
    let spans = [900, 12_000, 1_250_000, 12_500_000, 1_250_000_000, 61_000_000_000, 361_000_000_000];
    assert_eq!(spans.map(in_words), ["0 µs", "12 µs", "1.2 ms", "12 ms", "1.2 s", "61 s", "361 s"]);
}
