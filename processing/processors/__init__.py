"""The processors that are shipped, one file each. A module whose name begins with an underscore is a part of them."""
