//! `cargo qemu image`: writes the guests' image or the container image to a file, with its bill of materials beside it, and prints
//! the size of each group.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::common::Common;
use crate::{
    host::{
        needs::{self, Need},
        notes::note,
    },
    image::{self, Format, Group, Image},
    packages::suites::Suite,
};

/// Write an image of dockerlaunch and Docker to a file
#[derive(Args)]
pub(crate) struct Arguments {
    /// Debian's suite, for the kernel and the engine
    #[arg(long, value_enum, default_value = "trixie")]
    suite: Suite,
    /// The image's format
    #[arg(long, value_enum)]
    format: Format,
    /// Add what a state disk, `ip=dhcp` and a read-only root need
    #[arg(long)]
    appliance: bool,
    /// Groups of files to leave out: a,b; the printed table has their names
    #[arg(long, value_enum, value_delimiter = ',')]
    without: Vec<Group>,
    /// Leave out the signatures of the kernel's modules: they load sooner, but taint the kernel, and lockdown refuses them
    #[arg(long)]
    unsigned_modules: bool,
    /// The file to write
    #[arg(long, short)]
    output: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<()> {
    let groups = arguments.format.groups(arguments.appliance);
    let groups = image::kept(groups, &arguments.without)?;
    let unsigned = arguments.unsigned_modules;
    if unsigned {
        ensure!(
            groups.contains(&Group::Modules),
            "--unsigned-modules: the image has no modules"
        );
        note(image::UNSIGNED.to_owned());
    }
    needs::ready(&[Need::Image, arguments.format.need()])?;
    let program = common.program()?;
    let packages = arguments.suite.unpacked(&common.mirror)?;
    let image = Image {
        name: arguments.suite.name().to_owned(),
        packages: &packages,
        more: None,
        program: &program,
        groups: &groups,
        unsigned_modules: unsigned,
        extra: Vec::new(),
        format: arguments.format,
    };
    let made = image.write(&arguments.output)?;
    print!("{}", image::report(&made, &arguments.output)?);
    if let Some(bill) = &made.bill {
        let beside = arguments.output.with_extension("cdx.json");
        fs::write(&beside, bill).with_context(|| format!("write {}", beside.display()))?;
        println!("bill of materials: {}", beside.display());
    }
    if groups.contains(&Group::Modules) {
        println!("kernel: {}", image::kernel(&packages)?.display());
    }
    Ok(())
}
