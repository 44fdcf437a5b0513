//! `finetop generate`: what is typed for text out of a model. The model is `writing`'s business.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::Args;

use super::writing::{self, GenerateRequest};
use super::{CliError, written};
use crate::model::generate::Decoding;
use crate::task::text::Stops;
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
    /// How freely tokens are drawn; 0 takes the likeliest
    #[arg(long, value_name = "T", default_value_t = 0.0)]
    temperature: f64,
    /// Draw from the K likeliest tokens
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,
    /// Draw from the fewest likeliest tokens whose probabilities sum up to P
    #[arg(long, value_name = "P")]
    top_p: Option<f64>,
    /// What the draws come from
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    /// Beams that a search keeps
    #[arg(long, value_name = "N", default_value_t = 1)]
    num_beams: usize,
    /// With beams: above 0 favours long texts, below short ones
    #[arg(long, value_name = "X", default_value_t = 1.0, allow_negative_numbers = true)]
    length_penalty: f64,
    /// No N tokens come twice, the prompt's counted; 0 forbids nothing
    #[arg(long, value_name = "N", default_value_t = 0)]
    no_repeat_ngram_size: usize,
    /// A string that ends the text and is not part of it; may be given more than once
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// Round activations to int8: quicker, and another text here and there
    #[arg(long, conflicts_with_all = ["file", "num_beams"])]
    fast: bool,
    /// Continue each {"prompt"} of a JSONL file instead: a line of JSON for each, as soon as it is done
    #[arg(long, value_name = "ROWS", conflicts_with = "prompt")]
    file: Option<PathBuf>,
    /// With --file: rows that are generated at once; fewer where memory is short
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..), requires = "file")]
    batch: u32,
    #[arg(required_unless_present = "file")]
    prompt: Option<String>,
}

pub fn generate(arguments: GenerateArguments) -> Result<(), CliError> {
    if let Some(folder) = arguments.adapter.as_ref().filter(|f| !f.is_dir()) {
        return Err(CliError::Usage(format!("--adapter {}: expected a folder with an adapter", folder.display())));
    }
    let how = Decoding {
        max_new_tokens: arguments.max_new_tokens as usize,
        temperature: arguments.temperature,
        top_k: arguments.top_k,
        top_p: arguments.top_p,
        seed: arguments.seed,
        num_beams: arguments.num_beams,
        length_penalty: arguments.length_penalty,
        no_repeat_ngram_size: arguments.no_repeat_ngram_size,
        fast: arguments.fast,
        ..Decoding::default()
    };
    let request = GenerateRequest {
        model: arguments.model,
        adapter: arguments.adapter,
        chat: (arguments.chat || arguments.raw).then_some(arguments.chat),
        how,
        stops: Stops::new(arguments.stop),
    };
    if let Some(rows) = arguments.file {
        return writing::file(&request, &rows, arguments.batch as usize);
    }
    let unseen = !io::stdout().is_terminal();
    let mut last = Ok(true);
    let mut piece_out = |piece: &str| {
        // Line ends may pass; what would command a terminal may not.
        let safe = || piece.split('\n').map(printable).collect::<Vec<_>>().join("\n");
        if matches!(last, Ok(true)) {
            last = written(&if unseen { piece.to_string() } else { safe() });
        }
        matches!(last, Ok(true))
    };
    writing::one(&request, &arguments.prompt.unwrap_or_default(), &mut piece_out)?;
    last.map(drop)
}
