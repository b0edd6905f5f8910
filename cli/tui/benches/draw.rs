//! What a frame costs: `cargo bench -p odd-tui --features bench`. Sixty a second leave 16.7 ms for each.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use odd_tui::bench::Bench;

fn scrolling(c: &mut Criterion) {
    let mut bench = Bench::new(10_000);
    c.bench_function("a row further in 10,000 jobs, 120x40", |b| {
        b.iter(|| {
            bench.down();
            black_box(bench.frame())
        });
    });
}

fn payload(c: &mut Criterion) {
    let mut bench = Bench::new(10);
    bench.open();
    c.bench_function("a job with 1 MB of payload, 120x40", |b| {
        b.iter(|| {
            bench.down();
            black_box(bench.frame())
        });
    });
}

fn events(c: &mut Criterion) {
    let bench = std::cell::RefCell::new(Bench::new(10_000));
    c.bench_function("5,000 events over 10,000 jobs", |b| {
        b.iter_batched(
            || bench.borrow_mut().events(5_000),
            |events| bench.borrow_mut().take(events),
            BatchSize::PerIteration,
        );
    });
}

criterion_group!(benches, scrolling, payload, events);
criterion_main!(benches);
