module tidepool

go 1.19
