//! `cargo qemu image`: the image that the guests boot from, or the container image, as a file; what it weighs by group, and
//! beside it its bill of materials.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use crate::{
    Common,
    host::{self, Need},
    image::{self, Format, Image, table::Group},
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
    /// Groups of files to leave out: a,b; their names stand in the table that is printed
    #[arg(long, value_enum, value_delimiter = ',')]
    without: Vec<Group>,
    /// The file to write
    #[arg(long, short)]
    output: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<()> {
    host::ready(&[Need::Image])?;
    let program = common.program()?;
    let packages = arguments.suite.unpacked(&common.mirror)?;
    let groups: Vec<Group> = arguments
        .format
        .groups()
        .filter(|group| !arguments.without.contains(group))
        .collect();
    let image = Image {
        name: arguments.suite.name().to_owned(),
        packages: &packages,
        program: &program,
        groups: &groups,
        extra: Vec::new(),
        format: arguments.format,
    };
    let made = image.write(&arguments.output)?;
    print!("{}", image::report(&made, &arguments.output)?);
    let bill = arguments.output.with_extension("cdx.json");
    fs::write(&bill, &made.bill).with_context(|| format!("write {}", bill.display()))?;
    println!("bill of materials: {}", bill.display());
    if groups.contains(&Group::Modules) {
        println!("kernel: {}", image::kernel(&packages)?.display());
    }
    Ok(())
}
