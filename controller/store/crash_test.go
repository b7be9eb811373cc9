package store

const childVariable = "FAXBOT_TEST_CREATE_FOR_EVER"

func createForEver(string) {}
