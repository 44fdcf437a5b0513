//! The program: everything is in the library, `cli` reads the arguments.

use std::process::ExitCode;

fn main() -> ExitCode {
    finetop::cli::main()
}
