"""Networks: one a file, pure torch, the paper cited and the letters of every shape explained on top."""
