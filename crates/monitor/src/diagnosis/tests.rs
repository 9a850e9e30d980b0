//! The window, what is found in it, the verdict on it, and what outlives a restart.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use repono_core::id::ConnectionId;
use repono_core::request::Method;
use repono_journal::read::{self, Fact};
use repono_journal::{
    ClosedBy, ConnectionRecord, Journal, JournalConfig, Manner, Outcome, Phases, RequestRecord, Reuse, Side,
    Stamp, Text, TurnKind, TurnRecord, Turns, UrlPath,
};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::book::{Book, KeptBook};
use super::verdict::{Level, Requests};
use super::window::Window;
use super::{ACTIVE_MS, SharedWindow, Sources, Work};
use crate::ask::Latest;
use crate::board::ChangeSeen;
use crate::collector::SharedBoard;
use crate::heads::{Answer, HeadStatus, State};
use crate::state_file::StateFile;

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;
/// Records of the product itself: a path that dropped connections without a word.
const SILENT_DROP: &str = include_str!("../../../diagnose/fixtures/journal.jsonl");
const NOW_NS: u64 = 1_800_000_000 * S;

fn at(before_ns: u64) -> Stamp {
    Stamp { wall_ns: NOW_NS - before_ns, mono_ns: 1_000 * S - before_ns }
}

fn request(side: Side, number: u8, began_before_ns: u64, took_ns: u64) -> RequestRecord {
    let address = ([127, 0, 0, 1], u16::from(number)).into();
    let own = if side == Side::Client { number } else { 100 + number };
    let started = at(began_before_ns);
    RequestRecord {
        balancer_id: Some(balancer_id(number)),
        ended_mono_ns: started.mono_ns + took_ns,
        method: Some(Method::Get),
        path: UrlPath::of_target(b"/v1/demo/files/a"),
        reuse: Reuse::Reused { idle_before_ns: 90 * S, requests_before: 3 },
        status: Some(200),
        phases_ns: Phases { wait: took_ns, ..Phases::NONE },
        outcome: Outcome::Complete,
        ..RequestRecord::new(side, ConnectionId::from_bytes([own; 12]), started, address, address)
    }
}

fn peer() -> SocketAddr {
    ([127, 0, 0, 1], 1).into()
}

fn balancer_id(number: u8) -> ConnectionId {
    ConnectionId::from_bytes([50 + number; 12])
}

/// The end of its connection, as the balancer tells.
fn end(number: u8, worst_ns: u64) -> ConnectionRecord {
    let address = ([127, 0, 0, 1], u16::from(number)).into();
    ConnectionRecord {
        ended: at(0),
        closed_by: ClosedBy::Client,
        manner: Manner::Fin,
        turns: Some(Turns { count: 2, worst_ns, last_ns: worst_ns }),
        ..ConnectionRecord::new(Side::Balancer, balancer_id(number), at(100 * S), address, address)
    }
}

/// What these services wrote.
fn written(instance: &str, requests: &[RequestRecord], ends: &[ConnectionRecord]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(JournalConfig::new(dir.path(), instance, instance)).unwrap();
    for request in requests {
        journal.shared().request(request);
    }
    for end in ends {
        journal.shared().connection(end);
    }
    journal.close();
    std::fs::read_to_string(dir.path().join(format!("{instance}.jsonl"))).unwrap()
}

fn feed(window: &mut Window, text: &str, now_ns: u64) {
    for line in text.lines() {
        let record = read::record(line.as_bytes()).unwrap();
        window.take(line.as_bytes(), &record, now_ns);
    }
}

fn heads(states: &[State]) -> Latest {
    let head = |(at, state): (usize, &State)| HeadStatus {
        waiting: None,
        in_flight: None,
        name: format!("head-{}", at + 1),
        address: ([127, 0, 0, 1], 1).into(),
        state: *state,
        weight: 1,
        connections: 0,
        only: false,
        failing: None,
        counters: Default::default(),
        limits: None,
    };
    let heads = states.iter().enumerate().map(head).collect();
    Some(Arc::new(Answer { heads, asked: Instant::now() }))
}

/// Everything but the thread.
fn analyst(latest: Latest, state_dir: Option<&Path>) -> Work {
    let (_, latest) = watch::channel(latest);
    let sources = Sources {
        latest,
        board: Some(SharedBoard::default()),
        window: SharedWindow::default(),
        path: None,
        state_dir: state_dir.map(Path::to_owned),
    };
    let file = state_dir.map(|dir| StateFile::<KeptBook>::in_dir(dir).unwrap());
    let book = file.as_ref().and_then(StateFile::read).map(KeptBook::into_book).unwrap_or_default();
    Work { sources, file, book, judged: 0, told: watch::channel(Arc::default()).0 }
}

/// What is told when these lines came.
fn looked(work: &mut Work, texts: &[String], now_ns: u64) -> (Level, String, Value) {
    for text in texts {
        feed(&mut work.sources.window.lock(), text, now_ns);
    }
    work.look(now_ns);
    let told = work.told.borrow().clone();
    (told.verdict.level, told.verdict.sentence.clone(), serde_json::to_value(&*told).unwrap())
}

const READY: [State; 4] = [State::Ready; 4];

/// Requests that were sent on connections which the path had forgotten.
fn dropped(count: u8) -> Vec<String> {
    let (mut attempts, mut ends) = (Vec::new(), Vec::new());
    for number in 1..=count {
        let began = 20 * S - u64::from(number) * S;
        attempts.push(RequestRecord {
            status: None,
            outcome: Outcome::Failed("PathSilent"),
            phases_ns: Phases::NONE,
            ..request(Side::Client, number, began, 10_300 * MS)
        });
        attempts.push(RequestRecord {
            attempts: 2,
            reuse: Reuse::New,
            phases_ns: Phases { connect: MS, wait: 2 * MS, ..Phases::NONE },
            ..request(Side::Client, 20 + number, began, 10_303 * MS)
        });
        ends.push(ConnectionRecord {
            idle_at_close_ns: 110 * S,
            ended: at(0),
            ..ConnectionRecord { opened: at(200 * S), ..end(number, MS) }
        });
    }
    vec![written("client", &attempts, &[]), written("balancer", &[], &ends)]
}

#[test]
fn a_silent_drop_is_told_with_its_count_its_wait_and_its_hop() {
    let mut work = analyst(heads(&READY), None);
    let (level, sentence, told) = looked(&mut work, &dropped(3), NOW_NS);
    assert_eq!(
        (level, sentence.as_str()),
        (
            Level::Bad,
            "3 requests waited up to 10.3 s on kept connections that nobody answered any more: the path \
             between client and balancer forgets them without a word."
        ),
        "{told:#}"
    );
    let finding = &told["findings"][0];
    assert_eq!((&finding["hop"], &finding["state"]), (&"path".into(), &"active".into()));
    assert_eq!(finding["id"], told["verdict"]["findings"][0]);
    assert_eq!(finding["impact"]["count"], 3);
    assert!(finding["remedies"].as_array().is_some_and(|remedies| !remedies.is_empty()));
    let evidence = &finding["evidence"][0];
    assert!(evidence["file"] == "client" && evidence["text"].is_string(), "{evidence}");
}

/// A turn that a recorder saw on its connection of this number, which the server takes
/// for one from the port of the same number.
fn turn(number: u8, turn: u64, asked_before_ns: u64, answered: Option<u64>) -> TurnRecord {
    let asked = at(asked_before_ns);
    let address = ([127, 0, 0, 1], 7).into();
    TurnRecord {
        side: Side::Recorder,
        kind: if turn < 3 { TurnKind::Handshake } else { TurnKind::Exchange },
        connection: ConnectionId::from_bytes([number; 12]),
        source: address,
        destination: address,
        onward: Some(([127, 0, 0, 1], u16::from(number)).into()),
        head: Text::EMPTY,
        number: turn,
        asked,
        asked_last_mono_ns: asked.mono_ns,
        answered_mono_ns: answered.map(|after_ns| asked.mono_ns + after_ns),
        ended_mono_ns: asked.mono_ns + answered.unwrap_or_default(),
        connect_ns: (turn == 1).then_some(MS),
        idle_before_ns: if turn == 4 { 60 * S } else { 0 },
        bytes_in: 300,
        bytes_out: 900,
        acknowledged: answered.is_none().then_some(false),
        request: None,
    }
}

/// What a recorder before a client of somebody else wrote.
fn recorded(turns: &[TurnRecord], ends: &[ConnectionRecord]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(JournalConfig::new(dir.path(), "recorder", "recorder")).unwrap();
    turns.iter().for_each(|turn| journal.shared().turn(turn));
    ends.iter().for_each(|end| journal.shared().connection(end));
    journal.close();
    std::fs::read_to_string(dir.path().join("recorder.jsonl")).unwrap()
}

#[test]
fn clients_of_others_are_told_of_by_recorders() {
    let well = Some(3 * MS);
    let lost = [
        turn(1, 1, 81 * S, well),
        turn(1, 2, 81 * S, well),
        turn(1, 3, 80 * S, well),
        turn(1, 4, 20 * S, None),
    ];
    let again = [turn(2, 1, 10 * S, well), turn(2, 2, 10 * S, well), turn(2, 3, 10 * S, well)];
    let address = ([127, 0, 0, 1], 7).into();
    let ended = ConnectionRecord {
        ended: at(10 * S),
        closed_by: ClosedBy::Client,
        manner: Manner::Rst,
        idle_at_close_ns: 10 * S,
        ..ConnectionRecord::new(
            Side::Recorder,
            ConnectionId::from_bytes([1; 12]),
            at(81 * S),
            address,
            address,
        )
    };
    // The balancer still holds it, and heard nothing.
    let held = ConnectionRecord { idle_at_close_ns: 80 * S, opened: at(81 * S), ..end(1, MS) };
    let texts = [recorded(&[&lost[..], &again[..]].concat(), &[ended]), written("balancer", &[], &[held])];
    let mut work = analyst(heads(&READY), None);
    let (level, sentence, told) = looked(&mut work, &texts, NOW_NS);
    assert_eq!((level, told["findings"].as_array().map(Vec::len)), (Level::Bad, Some(1)), "{told:#}");
    let finding = &told["findings"][0];
    assert_eq!(
        (&finding["variant"], &finding["hop"]),
        (&"silent-drop".into(), &"path".into()),
        "{finding:#}"
    );
    assert_eq!(finding["impact"]["worst_ms"], 10_000, "{sentence}");
    // On a connection that is open still.
    assert!(finding["summary"].to_string().contains("was sent again unseen"), "{finding:#}");
    // The same without the loss.
    let mut work = analyst(heads(&READY), None);
    let (level, ..) = looked(&mut work, &[recorded(&[&lost[..3], &again[..]].concat(), &[])], NOW_NS);
    assert_eq!((level, work.sources.window.lock().chosen().len()), (Level::Good, 0));
}

/// What is well is not in the window, so that the slow ones are not all that there are.
#[test]
fn of_shares_nothing_is_said() {
    let slow = |number: u8| RequestRecord {
        reuse: Reuse::New,
        phases_ns: Phases { connect: MS, wait: 1_200 * MS, ..Phases::NONE },
        ..request(Side::Client, number, 12 * S, 1_201 * MS)
    };
    let client = written("client", &[1, 2, 3, 4, 5, 6].map(slow), &[]);
    let mut work = analyst(heads(&READY), None);
    let (level, _, told) = looked(&mut work, &[client], NOW_NS);
    let rules: Vec<_> = told["findings"].as_array().unwrap().iter().map(|found| &found["rule"]).collect();
    assert_eq!(
        (level, rules),
        (Level::Bad, vec![&Value::from("slow-reply")]),
        "not that every request opened a connection"
    );
}

#[test]
fn records_of_the_product_itself_are_judged() {
    let mut work = analyst(heads(&READY), None);
    let ended = SILENT_DROP.lines().filter_map(|line| read::record(line.as_bytes()).ok()?.fact.ended());
    let now_ns = ended.map(|ended| ended.wall_ns).max().unwrap();
    let (level, sentence, told) = looked(&mut work, &[SILENT_DROP.to_owned()], now_ns);
    assert_eq!((level, &told["findings"][0]["hop"]), (Level::Bad, &"path".into()), "{sentence}");
}

#[test]
fn a_slow_head_is_not_called_path() {
    let took = 10 * S;
    let client = written("client", &[request(Side::Client, 1, 12 * S, took + 4 * MS)], &[]);
    let head = written("head-2", &[request(Side::Head, 1, 12 * S - MS, took)], &[]);
    let balancer = written("balancer", &[], &[end(1, took + MS)]);
    let mut work = analyst(heads(&READY), None);
    let (level, sentence, told) = looked(&mut work, &[client, head.clone(), balancer], NOW_NS);
    assert_eq!(told["findings"].as_array().map(Vec::len), Some(1), "{told:#}");
    assert_eq!((level, &told["findings"][0]["hop"]), (Level::Bad, &"head".into()), "{sentence}");
    // No client tells.
    let mut work = analyst(heads(&READY), None);
    let (level, sentence, told) = looked(&mut work, &[head], NOW_NS);
    assert_eq!((level, sentence.as_str()), (Level::Bad, "1 request took over 1 s at head-2, up to 10.0 s."));
    assert_eq!(told["findings"][0]["hop"], "head");
    // A body that a client sent slowly is not the head's.
    let phases_ns = Phases { receive: 9_900 * MS, ..Phases::NONE };
    let upload = RequestRecord { phases_ns, ..request(Side::Head, 1, 12 * S, took) };
    let mut work = analyst(heads(&READY), None);
    let (level, ..) = looked(&mut work, &[written("head-2", &[upload], &[])], NOW_NS);
    assert_eq!(level, Level::Good);
}

#[test]
fn what_the_balancer_tells_later_takes_the_place_of_what_the_client_alone_told() {
    let [client, balancer] = dropped(2).try_into().unwrap();
    // A client that cannot tell silence of the path from silence of its peer.
    let client = client.replace("PathSilent", "PeerSilent");
    let mut work = analyst(heads(&READY), None);
    let (_, _, before) = looked(&mut work, &[client], NOW_NS);
    let ends = [1, 2].map(|number| ConnectionRecord {
        balancer_id: Some(balancer_id(number)),
        closed_by: ClosedBy::Us,
        ended: at(0),
        ..ConnectionRecord::new(
            Side::Client,
            ConnectionId::from_bytes([number; 12]),
            at(99 * S),
            peer(),
            peer(),
        )
    });
    let client_ends = written("client", &[], &ends);
    let (_, _, after) = looked(&mut work, &[client_ends, balancer], NOW_NS);
    let ids = |told: &Value| {
        let findings = told["findings"].as_array().unwrap();
        findings.iter().map(|finding| finding["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&before), ["client-gave-up.-.unknown"]);
    assert_eq!(ids(&after), ["client-gave-up.swallowed.path"]);
    // A slow head of which the client tells later is no finding of its own any more.
    let head = written("head-2", &[request(Side::Head, 1, 12 * S - MS, 10 * S)], &[]);
    let client = written("client", &[request(Side::Client, 1, 12 * S, 10 * S)], &[]);
    let mut work = analyst(heads(&READY), None);
    assert_eq!(ids(&looked(&mut work, &[head], NOW_NS).2), ["slow-head.head-2.head"]);
    assert_eq!(ids(&looked(&mut work, &[client], NOW_NS).2), ["slow-reply.head-slow.head"]);
}

#[test]
fn what_is_well_is_good_and_what_is_over_is_past() {
    let healthy: Vec<_> = (1..40).map(|number| request(Side::Client, number, 5 * S, 2 * MS)).collect();
    let healthy = written("client", &healthy, &[]);
    let good = "No request took over 1 s in the last 5 minutes; 4 of 4 heads are ready.";
    let mut work = analyst(heads(&READY), None);
    let (level, sentence, told) = looked(&mut work, &[healthy], NOW_NS);
    assert_eq!((level, sentence.as_str(), &told["findings"]), (Level::Good, good, &Value::Array(Vec::new())));
    let (level, ..) = looked(&mut work, &dropped(1), NOW_NS);
    assert_eq!(level, Level::Bad);
    // Minutes later only the remembered finding is left.
    let later_ns = NOW_NS + (ACTIVE_MS + 1) * MS;
    let (level, sentence, told) = looked(&mut work, &[], later_ns);
    assert_eq!(level, Level::Good, "{sentence}");
    assert_eq!(told["findings"][0]["state"], "past");
    assert_eq!(told["verdict"]["since_ms"], later_ns / MS);
}

#[test]
fn heads_are_told_by_name_and_what_is_not_known_is_unknown() {
    let verdict = |states: &[State]| {
        let mut work = analyst(heads(states), None);
        let (level, sentence, _) = looked(&mut work, &[], NOW_NS);
        (level, sentence)
    };
    let (ready, down) = (State::Ready, State::Down);
    assert_eq!(
        verdict(&[ready, ready, down, ready]),
        (Level::Warning, "head-3 is down; 3 of 4 heads are ready.".to_owned())
    );
    assert_eq!(verdict(&[State::Ejected, down]).0, Level::Bad);
    let (level, sentence) = verdict(&[ready, State::Draining]);
    assert_eq!(level, Level::Good);
    assert!(sentence.ends_with("1 of 2 heads are ready; head-2 is draining."), "{sentence}");
    assert_eq!(verdict(&[]).0, Level::Unknown);
    let (level, ..) = looked(&mut analyst(None, None), &[], NOW_NS);
    assert_eq!(level, Level::Unknown);
}

#[test]
fn a_change_by_a_person_is_a_finding_and_is_named_by_what_followed() {
    let change = |who: &str, at_ms| ChangeSeen {
        at_ms,
        who: who.to_owned(),
        what: "head-2.weight".to_owned(),
        from: "1".to_owned(),
        to: "5".to_owned(),
    };
    let now_ms = NOW_NS / MS;
    let changes = [change("balancer", now_ms - 1), change("uid 7", now_ms - 60_000)];
    let found = super::changed::findings(&changes, now_ms);
    assert_eq!(found.len(), 1, "what the balancer does by itself is none");
    assert_eq!(found[0]["title"], "uid 7 changed head-2.weight from 1 to 5");
    assert_eq!(
        super::changed::before(&changes, now_ms).as_deref(),
        Some("uid 7 changed head-2.weight from 1 to 5, 60 s before")
    );
    assert_eq!(super::changed::before(&changes, now_ms - 60_001), None, "it began before");
    assert_eq!(super::changed::before(&changes, now_ms + 600_000), None, "it is too long ago");
    let latest = heads(&READY);
    let heads = super::verdict::Heads::of(latest.as_deref(), Instant::now());
    let verdict = super::verdict::of(&[], &heads, Requests::None, &changes, now_ms);
    assert_eq!(verdict.level, Level::Good);
    assert!(verdict.sentence.contains("uid 7 changed head-2.weight"), "{}", verdict.sentence);
}

#[test]
fn memory_is_bounded_and_old_lines_are_forgotten() {
    let mut window = Window::default();
    let slow = written("client", &[request(Side::Client, 1, 12 * S, 10 * S)], &[]);
    let work = written("head-1", &[request(Side::Head, 1, 12 * S, MS)], &[end(2, MS)]);
    let lines: Vec<&str> = slow.lines().chain(work.lines()).collect();
    let records: Vec<_> = lines.iter().map(|line| (line, read::record(line.as_bytes()).unwrap())).collect();
    for _ in 0..20_000 {
        for (line, record) in &records {
            window.take(line.as_bytes(), record, NOW_NS);
        }
    }
    assert!(window.bytes() <= 8 << 20, "{}", window.bytes());
    assert!(window.bytes() > 7 << 20, "it is full");
    window.forget(NOW_NS + ACTIVE_MS * MS + 1);
    assert_eq!((window.bytes(), window.chosen().len()), (0, 0));
    // What was written long ago is read after a start, and is not of now.
    feed(&mut window, &slow, NOW_NS + ACTIVE_MS * MS + 1);
    assert_eq!(window.bytes(), 0);
}

#[test]
fn findings_outlive_a_restart_and_a_file_that_is_damaged_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let mut work = analyst(heads(&READY), Some(dir.path()));
    let (_, before, told) = looked(&mut work, &dropped(2), NOW_NS);
    drop(work);
    let mut again = analyst(heads(&READY), Some(dir.path()));
    let (level, sentence, told_again) = looked(&mut again, &[], NOW_NS);
    assert_eq!((level, sentence), (Level::Bad, before));
    assert_eq!(told["findings"], told_again["findings"]);
    for damaged in ["", "{", r#"{"version":9,"findings":{}}"#] {
        std::fs::write(dir.path().join("findings.json"), damaged).unwrap();
        let mut work = analyst(heads(&READY), Some(dir.path()));
        assert_eq!(looked(&mut work, &[], NOW_NS).0, Level::Good, "{damaged}");
    }
}

#[test]
fn no_more_findings_are_remembered_than_are_told() {
    let mut book = Book::default();
    for number in 0..300_u64 {
        let seen = super::judge::Seen {
            rule: format!("rule-{number}"),
            variant: None,
            hop: "head".to_owned(),
            first_ms: number,
            last_ms: number,
            count: 1,
            worst_ms: None,
            told: serde_json::Map::new(),
        };
        book.enter(vec![seen], number);
    }
    let told = book.told(&[], 300);
    assert_eq!((told.len(), &told[0]["rule"]), (super::TOLD_MAX, &"rule-299".into()));
}

/// Prints what a line of healthy traffic costs: `--ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn what_a_healthy_line_costs() {
    let client = written("client", &[request(Side::Client, 1, 12 * S, MS)], &[]);
    let head = written("head-1", &[request(Side::Head, 1, 12 * S, MS)], &[]);
    for line in [client.trim_end(), head.trim_end()] {
        let record = read::record(line.as_bytes()).unwrap();
        assert!(matches!(record.fact, Fact::Request(_)));
        let (mut window, count) = (Window::default(), 1_000_000_u32);
        let begun = std::time::Instant::now();
        (0..count).for_each(|_| window.take(line.as_bytes(), &record, NOW_NS));
        println!("{} bytes: {:?} a line", line.len(), begun.elapsed() / count);
    }
}
