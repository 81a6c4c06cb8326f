"""An Enso streaming NIC in Amaranth HDL: software sees the registers, rings and notifications of upstream Enso."""
