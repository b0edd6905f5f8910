//! Names of keys. All have the same hash tag, the text in braces, so that a cluster keeps them in one place.
//!
//! | key | what |
//! |---|---|
//! | `prefix{c}:use` | the generation in use |
//! | `prefix{c}:generations` | a set of those that exist |
//! | `prefix{c}:dropped` | a hash of those whose guards are still to be freed, with their segments |
//! | `prefix{c}:G` | a hash of what generation G counts, and of what it is |
//! | `prefix{c}:G:S:B` | guards: a hash of the jobs in bucket B of segment S |
//!
//! A guard is a field of 16 bytes, the job's id, with a number, the job's sequence × 256 + its type. A bucket has few enough
//! of them for Redis to keep it as one compact list, which is what makes a guard cost some 30 bytes.

/// Buckets of a segment: with half of the default number of guards some 60 in each, half of what Redis keeps compact
/// (`hash-max-listpack-entries`).
pub(super) const BUCKETS: u32 = 16_384;

/// What the names of all keys begin with.
pub(super) fn base(prefix: &str) -> String {
    format!("{prefix}{{c}}")
}

/// Bucket of a job. Ids that count up or share a beginning spread as well as random ones.
pub(super) fn bucket(id: u128) -> u16 {
    // The finaliser of SplitMix64 (Steele, Lea, Flood 2014) over both halves.
    let mut z = (id >> 64) as u64 ^ (id as u64).rotate_left(32);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) % u64::from(BUCKETS)) as u16
}
