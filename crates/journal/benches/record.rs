//! What a record costs: the push on a shard's thread, and the line on the
//! journal's.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use repono_core::id::ConnectionId;
use repono_core::request::Method;
use repono_journal::{Journal, JournalConfig, RequestRecord, Reuse, Side, Stamp, Text, UrlPath};

fn record() -> RequestRecord {
    let address = ([127, 0, 0, 1], 7443).into();
    let id = ConnectionId::from_bytes([7; 12]);
    RequestRecord {
        method: Some(Method::Get),
        path: UrlPath::of_target(b"/v1/demo/files/2015/08/16/invoice-000123.pdf"),
        status: Some(200),
        reuse: Reuse::Reused { idle_before_ns: 1_000_000, requests_before: 9 },
        actor: Text::new("demo:demo"),
        application: Text::new("demo-app"),
        user_agent: Text::new("aws-sdk-java/2.30"),
        ..RequestRecord::new(Side::Head, id, Stamp::now(), address, address)
    }
}

/// A ring's worth at a time, then the wait until the thread has written it: the
/// sum of both costs per record, as a process pays it.
fn push_and_drain(criterion: &mut Criterion) {
    const RECORDS: u64 = 2048;
    let Ok(dir) = tempfile::tempdir() else { return };
    let config =
        JournalConfig { sample_above_per_s: u64::MAX, ..JournalConfig::new(dir.path(), "head", "bench") };
    let Ok(journal) = Journal::open(config) else { return };
    let mut recorder = journal.recorder();
    let record = record();
    let mut group = criterion.benchmark_group("journal");
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("push_and_drain", |bencher| {
        bencher.iter(|| {
            for _ in 0..RECORDS {
                recorder.request(black_box(&record));
            }
            journal.flush();
        });
    });
    group.finish();
}

criterion_group!(benches, push_and_drain);
criterion_main!(benches);
