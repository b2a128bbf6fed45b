"""The basis `rental`: the bill of the sellers of device-hours, and costs that come with it."""
