//! The `odd` binary.

/// Jobs and events are many small, short-lived allocations on several threads, where the system's
/// allocator costs a tenth of the processor's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    odd_cli::main()
}
