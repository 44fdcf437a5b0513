//! `finetop generate`: plain text out of a model. The model is `engine`'s business.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::Args;

use super::engine::{self, GenerateRequest};
use super::{CliError, written};
use crate::units::printable;

#[derive(Debug, Args)]
pub struct GenerateArguments {
    /// pip:name==version, hf:org/name[@revision], a folder with safetensors, or a .gguf file
    #[arg(long, value_name = "SOURCE")]
    model: String,
    /// A folder with an adapter, such as a run's best
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    /// Put the prompt through the model's chat template
    #[arg(long)]
    chat: bool,
    /// Take the prompt as it is, even with an adapter that was trained through the chat template
    #[arg(long, conflicts_with = "chat")]
    raw: bool,
    /// The longest text that is generated
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    max_new_tokens: u32,
    prompt: String,
}

pub fn generate(arguments: GenerateArguments) -> Result<(), CliError> {
    let GenerateArguments { model, adapter, chat, raw, max_new_tokens, prompt } = arguments;
    let chat = (chat || raw).then_some(chat);
    if let Some(folder) = adapter.as_ref().filter(|f| !f.is_dir()) {
        return Err(CliError::Usage(format!("--adapter {}: expected a folder with an adapter", folder.display())));
    }
    let request = GenerateRequest { model, adapter, chat, max_new_tokens: max_new_tokens as usize, prompt };
    let unseen = !io::stdout().is_terminal();
    let mut last = Ok(true);
    let mut piece_out = |piece: &str| {
        // Line ends may pass; what would command a terminal may not.
        let safe = || piece.split('\n').map(printable).collect::<Vec<_>>().join("\n");
        if matches!(last, Ok(true)) {
            last = written(&if unseen { piece.to_string() } else { safe() });
        }
    };
    engine::generate(&request, &mut piece_out)?;
    last.map(drop)
}
