//! `cargo qemu image`: the image that the guests boot from, or the container image, as a file; what it weighs by group, and
//! beside it its bill of materials.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use crate::{
    Common,
    host::{self, Need},
    image::{
        self, Format, Image,
        table::{self, Group},
    },
    suites::Suite,
};

/// Write an image of dockerlaunch and Docker to a file
#[derive(Args)]
pub(crate) struct Arguments {
    /// Debian's suite that kernel and engine are taken from
    #[arg(long, value_enum, default_value = "trixie")]
    suite: Suite,
    #[arg(long, value_enum)]
    format: Format,
    /// With what a state disk, `ip=dhcp` and a root that is never written need
    #[arg(long)]
    appliance: bool,
    /// Groups of files to leave out: a,b; their names stand in the table that is printed
    #[arg(long, value_enum, value_delimiter = ',')]
    without: Vec<Group>,
    /// The file to write
    #[arg(long, short)]
    output: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<()> {
    let groups = arguments.format.groups(arguments.appliance);
    let groups = table::kept(groups, &arguments.without)?;
    host::ready(&[Need::Image, arguments.format.need()])?;
    let program = common.program()?;
    let packages = arguments.suite.unpacked(&common.mirror)?;
    let image = Image {
        name: arguments.suite.name().to_owned(),
        packages: &packages,
        more: None,
        program: &program,
        groups: &groups,
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
