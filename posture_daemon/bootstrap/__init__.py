"""Where real parts are built and put together; everything else is told what to use."""
