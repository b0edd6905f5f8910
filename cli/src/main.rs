//! The `odd` binary.

fn main() -> std::process::ExitCode {
    odd_cli::main()
}
