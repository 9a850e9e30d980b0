//! What it costs to follow and read a journal.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use repono_core::id::ConnectionId;
use repono_core::request::Method;
use repono_journal::follow::{Follower, Rest, Start};
use repono_journal::read;
use repono_journal::{Journal, JournalConfig, RequestRecord, Side, Stamp, Text, UrlPath};

const LINES: u64 = 10_000;

fn write(folder: &std::path::Path) -> Option<()> {
    let config = JournalConfig { ring_records: 1 << 14, ..JournalConfig::new(folder, "head", "bench") };
    let journal = Journal::open(config).ok()?;
    let mut recorder = journal.recorder();
    let address = ([127, 0, 0, 1], 7443).into();
    let record = RequestRecord {
        method: Some(Method::Get),
        path: UrlPath::of_target(b"/v1/demo/files/2015/08/16/invoice-000123.pdf"),
        status: Some(200),
        actor: Text::new("demo:demo"),
        application: Text::new("demo-app"),
        user_agent: Text::new("aws-sdk-java/2.30"),
        ..RequestRecord::new(Side::Head, ConnectionId::from_bytes([7; 12]), Stamp::now(), address, address)
    };
    for _ in 0..LINES {
        recorder.request(&record);
    }
    journal.close();
    Some(())
}

/// Every line of a journal that is there, followed and read.
fn follow_and_read(criterion: &mut Criterion) {
    let Ok(dir) = tempfile::tempdir() else { return };
    if write(dir.path()).is_none() {
        return;
    }
    let mut group = criterion.benchmark_group("journal");
    group.throughput(Throughput::Elements(LINES));
    group.bench_function("follow_and_read", |bencher| {
        let follower = || Follower::new(vec![dir.path().to_owned()], Start::Beginning);
        bencher.iter_batched(
            follower,
            |mut follower| {
                loop {
                    let batch = follower.poll();
                    for line in batch.lines() {
                        _ = black_box(read::record(line));
                    }
                    if batch.rest == Rest::Nothing {
                        break;
                    }
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, follow_and_read);
criterion_main!(benches);
