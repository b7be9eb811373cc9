complete -o default -o bashdefault -C /usr/bin/faxbot faxbot
