//! Tickets per second of one core, TLS and HTTP included, both ends in this
//! process: `cargo bench -p repono-vending`.

#![expect(clippy::expect_used, clippy::panic, reason = "a measurement that cannot go on must end")]

#[path = "../tests/service/house.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod house;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::Builder;

use house::House;

fn issue(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (house, mut client) = runtime.block_on(async {
        let house = House::new().await;
        let client = house.client().await;
        (house, client)
    });
    let login = house.login();
    let mut group = criterion.benchmark_group("vending");
    group.throughput(Throughput::Elements(1));
    group.bench_function("ticket over one connection", |bencher| {
        bencher.iter(|| {
            let reply = runtime.block_on(client.ticket(&login));
            assert!(reply.status.is_success());
        });
    });
    group.finish();
    drop(client);
    house.running.stop().ended().expect("in order");
}

criterion_group!(benches, issue);
criterion_main!(benches);
