{
  "targets": [
    {
      "target_name": "tidepool",
      "sources": ["tidepool.cpp"],
      "cflags": ["<!@(pkg-config --cflags tidepool)"],
      "cflags_cc!": ["-fno-exceptions"],
      "libraries": ["<!@(pkg-config --libs tidepool)"]
    }
  ]
}
