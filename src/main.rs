//! The program: everything is in the library, `cli` reads the arguments.

use std::process::ExitCode;

fn main() -> ExitCode {
    // candle puts a backtrace into the text of its errors wherever a panic would have one; a person who reads an error wants the sentence.
    // SAFETY: no other thread runs yet.
    unsafe { std::env::set_var("RUST_LIB_BACKTRACE", "0") };
    finetop::cli::main()
}
