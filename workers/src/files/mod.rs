//! Files and pictures: looks into what was sent, removes what nobody is led to.

mod clear_file;
mod clear_image;
mod sweep_images;
mod take_image;
