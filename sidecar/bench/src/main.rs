//! How fast the filter is on one core, beside memcpy, and beside the parsers that others would filter with.
//!
//! Every contender reads the same bodies: records of 13 or 52 fields, of which the first half is declared. The filter
//! validates, finds duplicates and drops what is not declared; the parsers parse into a tree and write all of it again.
//! Contenders take turns, so that what else the machine does burdens all alike; the median counts. Prints JSON lines.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lawflow_bench::{body, declared};
use lawflow_core::{JsonFilter, Limits};

const TURNS: usize = 25;
const TURN: Duration = Duration::from_millis(20);

/// Reads a body and writes what comes of it.
type Run = Box<dyn Fn(&[u8], &mut Vec<u8>)>;

struct Contender {
    name: &'static str,
    run: Run,
    seconds_a_byte: Vec<f64>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, "profile", size, fields, rounds] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        let number = |text: &str| text.parse().unwrap_or_default();
        profile(number(size), number(fields), number(rounds));
        return;
    }
    for (size, label) in [(1_000, "1 KB"), (20_000, "20 KB"), (200_000, "200 KB"), (5_000_000, "5 MB")] {
        for fields in [13, 52] {
            measure(&body(size, fields), label, fields);
        }
    }
}

/// The filter alone, for profilers and counters of instructions: `profile BYTES FIELDS ROUNDS`.
fn profile(size: usize, fields: usize, rounds: usize) {
    let (body, selection) = (body(size, fields), Arc::new(declared(fields)));
    let mut out = Vec::with_capacity(body.len() * 2);
    for _ in 0..rounds {
        out.clear();
        let mut filter = JsonFilter::new(Arc::clone(&selection), Limits::default());
        let fed = filter.feed(black_box(&body), &mut out);
        assert!(fed.is_ok() && filter.finish().is_ok(), "a body of the benchmark was refused");
        black_box(&out);
    }
}

fn measure(body: &[u8], label: &str, fields: usize) {
    let selection = Arc::new(declared(fields));
    let mut contenders = vec![
        contender("memcpy", |body, out| out.extend_from_slice(black_box(body))),
        contender("lawflow", move |body, out| {
            let mut filter = JsonFilter::new(Arc::clone(&selection), Limits::default());
            let fed = filter.feed(body, out);
            assert!(fed.is_ok() && filter.finish().is_ok(), "a body of the benchmark was refused");
        }),
        contender("sonic_rs", |body, out| {
            if let Ok(value) = sonic_rs::from_slice::<sonic_rs::Value>(body) {
                let _ = sonic_rs::to_writer(out, &value);
            }
        }),
        contender("simd_json", |body, out| {
            let mut copy = body.to_vec();
            if let Ok(value) = simd_json::to_borrowed_value(&mut copy) {
                let _ = simd_json::prelude::Writable::write(&value, out);
            }
        }),
        contender("serde_json", |body, out| {
            if let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) {
                let _ = serde_json::to_writer(out, &value);
            }
        }),
    ];
    let mut out = Vec::with_capacity(body.len() * 2);
    for _ in 0..TURNS {
        for each in &mut contenders {
            let (start, mut rounds) = (Instant::now(), 0_u32);
            while start.elapsed() < TURN {
                out.clear();
                (each.run)(black_box(body), &mut out);
                black_box(&out);
                rounds += 1;
            }
            #[allow(clippy::cast_precision_loss)]
            each.seconds_a_byte.push(start.elapsed().as_secs_f64() / f64::from(rounds) / body.len() as f64);
        }
    }
    let speed = |name: &str| {
        contenders.iter_mut().find(|each| each.name == name).map_or(0.0, |each| {
            each.seconds_a_byte.sort_unstable_by(f64::total_cmp);
            1e-9 / each.seconds_a_byte[TURNS / 2]
        })
    };
    print(label, fields, speed);
}

fn print(label: &str, fields: usize, mut speed: impl FnMut(&str) -> f64) {
    let names = ["memcpy", "lawflow", "sonic_rs", "simd_json", "serde_json"];
    let speeds = names.map(|name| (name, speed(name)));
    let ours = speeds[1].1;
    let fastest = speeds[2..].iter().map(|each| each.1).fold(0.0, f64::max);
    let listed: Vec<String> = speeds.iter().map(|(name, speed)| format!("\"{name}\":{speed:.3}")).collect();
    println!(
        "{{\"benchmark\":\"minimize\",\"body\":\"{label}\",\"fields\":{fields},\"gigabytes_a_second\":{{{}}},\
         \"to_memcpy\":{:.3},\"to_the_fastest_parser\":{:.2}}}",
        listed.join(","),
        ours / speeds[0].1,
        ours / fastest
    );
}

fn contender(name: &'static str, run: impl Fn(&[u8], &mut Vec<u8>) + 'static) -> Contender {
    Contender { name, run: Box::new(run), seconds_a_byte: Vec::new() }
}
