//! The options of every command, and dockerlaunch as they choose it.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::{
    packages,
    program::{self, Features},
};

/// The options of every command.
#[derive(Args)]
pub(crate) struct Common {
    /// The mirror of Debian's packages
    #[arg(long, global = true, env = "DOCKERLAUNCH_MIRROR", default_value = packages::MIRROR)]
    pub(crate) mirror: String,
    /// dockerlaunch's Cargo features, instead of the default ones: a,b or an empty list
    #[arg(long, global = true, value_delimiter = ',')]
    pub(crate) features: Option<Vec<String>>,
    /// Print the command that starts QEMU, and how long each check of an engine takes
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
}

impl Common {
    /// Whether dockerlaunch has this feature, one of the default ones.
    pub(crate) fn has(&self, feature: &str) -> bool {
        self.features
            .as_ref()
            .is_none_or(|features| features.iter().any(|name| name == feature))
    }

    /// The release program with the chosen features.
    pub(crate) fn program(&self) -> Result<PathBuf> {
        program::program(&self.chosen(), &self.mirror)
    }

    /// The same with its symbols, unless it was built elsewhere.
    pub(crate) fn with_symbols(&self) -> Result<Option<PathBuf>> {
        program::with_symbols(&self.chosen(), &self.mirror)
    }

    fn chosen(&self) -> Features {
        match &self.features {
            None => Features::Default,
            Some(list) => Features::Only(
                list.iter()
                    .filter(|name| !name.is_empty())
                    .cloned()
                    .collect(),
            ),
        }
    }
}
